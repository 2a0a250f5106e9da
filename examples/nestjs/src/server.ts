import { Logger } from '@nestjs/common';
import { buildApp } from './app.js';
import { readSettings } from './settings.js';

const settings = readSettings();
const app = await buildApp(settings);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // Stops listening, lets requests finish, then closes Redis; after that nothing keeps the process alive. Nest's own
  // enableShutdownHooks() does the same, but ends the process with the signal and not with exit code 0.
  process.once(signal, () => void app.close());
}
await app.listen(settings.port, settings.host);
new Logger('Server').log(`Server listening at ${await app.getUrl()}`);
