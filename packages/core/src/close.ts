import type { Engine } from './engine.js';

/** How closing went. */
export interface DrainReport {
  readonly durationMs: number;
  /** Whether everything that ran could finish. */
  readonly drained: boolean;
  /**
   * Commands that were cut: their callers got an error, without an answer of the server. Blocking commands whose wait
   * the server ended, and callers that waited for a connection, are not among them.
   */
  readonly cutCommands: number;
  /** Leases that were still held when the time was over; their connections were closed. */
  readonly cutLeases: number;
}

/** Of the budget, what is kept for QUIT and for closing the sockets. */
const END_SHARE = 0.2;
const MAX_END_MS = 500;

/** Ends an engine within `timeoutMs`, in the right order; never rejects. */
export async function drainAndClose(engine: Engine, timeoutMs: number): Promise<DrainReport> {
  const startedAt = performance.now();
  const { hooks, name } = engine.options;
  const endMs = Math.min(MAX_END_MS, timeoutMs * END_SHARE);
  const drained = engine.drain(timeoutMs - endMs);
  await Promise.all([drained, within(timeoutMs - endMs, () => hooks.drain?.({ pool: name }), engine)]);
  // Half for QUIT and half for the hook: either may take all that it is given.
  await engine.shut(engine.pendingCommands === 0 ? endMs / 2 : 0);
  await within(endMs / 2, () => hooks.close?.({ pool: name }), engine);
  return report(engine, startedAt);
}

/** Ends an engine at once; never rejects. */
export async function cutAndClose(engine: Engine, error: Error | undefined): Promise<DrainReport> {
  const startedAt = performance.now();
  await engine.shut(0, error);
  return report(engine, startedAt);
}

function report(engine: Engine, startedAt: number): DrainReport {
  const { name, logger } = engine.options;
  const { cutCommands, cutLeases } = engine;
  const durationMs = Math.round(performance.now() - startedAt);
  const result = { durationMs, drained: cutCommands + cutLeases === 0, cutCommands, cutLeases };
  logger.info({ pool: name, ...result }, `Redis pool "${name}" is closed`);
  return result;
}

/** A hook of the application must not keep the pool from closing: neither by hanging nor by throwing. */
async function within(limitMs: number, hook: () => unknown, engine: Engine): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  try {
    await Promise.race([limit, hook()]);
  } catch (error) {
    const { logger, name } = engine.options;
    logger.error({ pool: name, err: error }, `A hook of Redis pool "${name}" failed while closing`);
  } finally {
    clearTimeout(timer);
  }
}
