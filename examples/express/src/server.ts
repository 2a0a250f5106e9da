import { readSettings } from './settings.js';
import { start } from './start.js';

const running = await start(readSettings());
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // After that nothing keeps the process alive. A second signal ends it at once.
  process.once(signal, () => void running.close());
}
