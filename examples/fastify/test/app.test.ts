import { templateSuite } from '@redis-pool/example-contract';
import { buildApp } from '../src/app.js';
import { readSettings } from '../src/settings.js';

templateSuite({
  name: 'fastify',
  async start(env) {
    const settings = readSettings(env);
    const app = await buildApp(settings);
    return { url: await app.listen(settings), close: () => app.close() };
  },
});
