import { templateSuite } from '@redis-pool/example-contract';
import { buildApp } from '../src/app.js';
import { readSettings } from '../src/settings.js';

templateSuite({
  name: 'nestjs',
  async start(env) {
    const settings = readSettings(env);
    const app = await buildApp(settings);
    await app.listen(settings.port, settings.host);
    return { url: await app.getUrl(), close: () => app.close() };
  },
});
