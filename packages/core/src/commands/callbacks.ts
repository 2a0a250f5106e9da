import type { Callback, PoolCommand } from './command.js';

/** Tells a Node-style callback how a promise ended. What the callback throws is uncaught, as everywhere in Node. */
export function tell(promise: Promise<unknown>, callback: Callback): void {
  promise.then(
    (value) => invoke(callback, null, value),
    (error: unknown) => invoke(callback, error),
  );
}

/** Tells the callback of a command that has no promise of its own. */
export function tellCommand(command: PoolCommand, error: unknown, value?: unknown): void {
  if (command.callback === undefined) return;
  if (error === null) invoke(command.callback, null, value);
  else invoke(command.callback, error);
}

function invoke(callback: Callback, ...args: Parameters<Callback>): void {
  try {
    callback(...args);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
