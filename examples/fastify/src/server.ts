import { buildApp } from './app.js';
import { readSettings } from './settings.js';

const settings = readSettings();
const app = await buildApp(settings);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // Stops listening, lets requests finish, then closes Redis; after that nothing keeps the process alive.
  process.once(signal, () => void app.close());
}
await app.listen(settings);
