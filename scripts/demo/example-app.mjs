// The process of the example application.
import { buildApp } from '../../examples/fastify/dist/app.js';
import { readSettings } from '../../examples/fastify/dist/settings.js';
import { serveParent } from './serve-parent.mjs';

let app;

serveParent(
  async ({ url, prefix, port }) => {
    app = await buildApp(readSettings({ REDIS_URL: url, LOGS: 'off' }), { redis: { keyPrefix: prefix } });
    await app.redis.ready();
    return { url: await app.listen({ host: '127.0.0.1', port }) };
  },
  () => app?.close(),
);
