import { Logger } from '@nestjs/common';

/** Long enough for what a main.ts does after listen(). */
const DELAY_MS = 2_000;

/**
 * Says so, once, when a SIGTERM would end the process without this application's shutdown hooks. Whether
 * `enableShutdownHooks()` was called is the application's secret, and it may be called at any time; that nobody
 * listens for SIGTERM a while after the start is certain.
 */
export class ShutdownHooksCheck {
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#timer = setTimeout(check, DELAY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function check(): void {
  if (process.listenerCount('SIGTERM') > 0) return;
  new Logger('RedisPool').warn(
    'Nothing listens for SIGTERM: it will end this process at once, with requests and Redis commands cut off. ' +
      'Call app.enableShutdownHooks(), or app.close() in a handler of your own',
  );
}
