import type { Engine } from './engine.js';

/** How closing went. */
export interface DrainReport {
  readonly durationMs: number;
  /** Whether everything that ran could finish. */
  readonly drained: boolean;
  /** Commands that were cut: their callers got an error. */
  readonly cutCommands: number;
}

/** Of the budget, what is kept for QUIT and for closing the sockets. */
const END_SHARE = 0.2;
const MAX_END_MS = 500;

/** Ends an engine within `timeoutMs`, in the right order; never rejects. */
export async function drainAndClose(engine: Engine, timeoutMs: number): Promise<DrainReport> {
  const startedAt = performance.now();
  const { hooks, name, logger } = engine.options;
  const endMs = Math.min(MAX_END_MS, timeoutMs * END_SHARE);
  const drained = engine.drain(timeoutMs - endMs);
  await Promise.all([drained, within(timeoutMs - endMs, () => hooks.drain?.({ pool: name }), engine)]);
  const cutCommands = engine.pendingCommands;
  await engine.shut(cutCommands === 0 ? endMs : 0);
  await within(endMs, () => hooks.close?.({ pool: name }), engine);
  const durationMs = Math.round(performance.now() - startedAt);
  const report = { durationMs, drained: cutCommands === 0, cutCommands };
  logger.info({ pool: name, ...report }, `Redis pool "${name}" is closed`);
  return report;
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
