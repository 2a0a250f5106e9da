import type { RedisPoolError } from './errors/errors.js';
import { checkReady } from './leases/lease-arguments.js';
import { describeEndpoint } from './options/resolved-options.js';
import type { PoolEngine } from './pool-engine.js';

/** How long and how to wait for a pool to be ready. */
export interface ReadyOptions {
  /** Limit of the wait, ms, from 1. @default connectTimeoutMs */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with its reason; the pool goes on connecting. */
  readonly signal?: AbortSignal | undefined;
}

const LAST_WORD_MS = 20;

/** Resolves when a lane is up; rejects on a fatal failure, at the limit, on abort and on close. */
export function waitUntilReady(engine: PoolEngine, options: ReadyOptions): Promise<void> {
  const { signal, timeoutMs = engine.options.connectTimeoutMs } = options;
  try {
    checkReady(timeoutMs);
  } catch (error) {
    return Promise.reject(error);
  }
  if (signal?.aborted) return Promise.reject(signal.reason);
  const before = outcome(engine);
  if (before !== 'open') return before;
  engine.start();
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      for (const event of EVENTS) engine.events.off(event, onChange);
      settle();
    };
    const onChange = (): void => {
      const now = outcome(engine);
      if (now !== 'open') end(() => now.then(resolve, reject));
      else if (isOver) expire();
    };
    const onAbort = (): void => end(() => reject(signal?.reason));
    const expire = (): void => end(() => reject(timeoutError(engine, timeoutMs)));
    let isOver = false;
    const onLimit = (): void => {
      isOver = true;
      // An attempt that ends at this very limit is about to say what it met.
      const isAboutToFail =
        engine.lastDialError === undefined && timeoutMs >= engine.options.connectTimeoutMs;
      if (isAboutToFail) timer = setTimeout(expire, LAST_WORD_MS);
      else expire();
    };
    let timer = setTimeout(onLimit, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    for (const event of EVENTS) engine.events.on(event, onChange);
  });
}

const EVENTS = ['ready', 'restored', 'dialFailed', 'close'] as const;

function outcome(engine: PoolEngine): Promise<void> | 'open' {
  switch (engine.status) {
    case 'ready':
      return Promise.resolve();
    case 'draining':
      return Promise.reject(engine.error('RP_ERR_CLOSING', 'is closing'));
    case 'closed':
      return Promise.reject(engine.error('RP_ERR_CLOSED', 'is closed'));
    default: {
      // A wrong password or certificate: waiting longer changes nothing.
      const { lastDialError } = engine;
      return lastDialError?.fatal ? Promise.reject(lastDialError) : 'open';
    }
  }
}

function timeoutError(engine: PoolEngine, timeoutMs: number): RedisPoolError {
  const { lastDialError: lastError, connectAttempts: attempts } = engine;
  const reason = `was not ready within ${timeoutMs} ms: no connection to ${describeEndpoint(engine.options)} in ${attempts} attempts${lastError === undefined ? '' : `; last failure: ${lastError.message}`}`;
  const timedOut = lastError === undefined || lastError.code === 'RP_ERR_CONNECT_TIMEOUT';
  return engine.error(timedOut ? 'RP_ERR_CONNECT_TIMEOUT' : 'RP_ERR_CONNECT', reason, {
    ...(lastError === undefined ? {} : { cause: lastError }),
    maybeExecuted: false,
  });
}
