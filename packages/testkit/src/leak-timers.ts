import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import type { LeakProbe } from './leak-probe.js';

// process.getActiveResourcesInfo() counts timers, too, but vitest nearly always has one of its own running
// (100 ms, to report progress), behind which a leaked one hides. Vitest took its setTimeout before we wrap it.

interface TrackedTimer {
  readonly isPending: () => boolean;
  readonly delayMs: number;
  /** Where it was made; formatted only when it leaked. */
  readonly origin: Error;
}

const PRUNE_AT = 10_000;
const tracked = new Set<TrackedTimer>();
let isInstalled = false;
let pruneAt = PRUNE_AT;

/** Finds timers that keep this process alive and did not before: setTimeout, setInterval, and sleeps. */
export class TimerProbe implements LeakProbe {
  #before = new Set<TrackedTimer>();

  constructor() {
    install();
  }

  start(): void {
    this.#before = new Set(pendingTimers());
  }

  findings(): readonly string[] {
    const pending = pendingTimers();
    if (pending.length <= this.#before.size) return [];
    return pending.filter((timer) => !this.#before.has(timer)).map(describe);
  }

  stop(): void {
    this.#before.clear();
  }
}

function pendingTimers(): readonly TrackedTimer[] {
  for (const timer of tracked) if (!timer.isPending()) tracked.delete(timer);
  return [...tracked];
}

function describe({ delayMs, origin }: TrackedTimer): string {
  const frames = origin.stack?.split('\n').slice(1) ?? [];
  const place = frames.find((frame) => !frame.includes('node:')) ?? '    at an unknown place';
  return `timer of ${delayMs} ms, made ${place.trim()}`;
}

function track(delayMs: unknown, maker: (...args: never[]) => unknown, isPending: () => boolean): void {
  const origin = new Error('made here');
  Error.captureStackTrace(origin, maker);
  tracked.add({ isPending, delayMs: Number(delayMs ?? 1), origin });
  if (tracked.size < pruneAt) return;
  pruneAt = pendingTimers().length + PRUNE_AT;
}

// Once and for good: a timer that was made between two tests must be known when the second one begins.
function install(): void {
  if (isInstalled) return;
  isInstalled = true;
  globalThis.setTimeout = timers.setTimeout = wrapTimer(timers.setTimeout);
  globalThis.setInterval = timers.setInterval = wrapTimer(timers.setInterval);
  timersPromises.setTimeout = wrapSleep(timersPromises.setTimeout);
  syncBuiltinESMExports();
}

function wrapTimer<Make extends typeof setTimeout | typeof setInterval>(make: Make): Make {
  const wrapped = (...args: Parameters<typeof setTimeout>) => {
    const timer = make(...args);
    track(args[1], wrapped, () => timer.hasRef() && !isOver(timer));
    return timer;
  };
  // With util.promisify.custom, and __promisify__ for the types.
  return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(make)) as Make;
}

// Node tells nobody in public whether a timer has fired or was cleared; hasRef() stays true.
function isOver(timer: NodeJS.Timeout): boolean {
  return (timer as NodeJS.Timeout & { readonly _destroyed: boolean })._destroyed;
}

function wrapSleep(make: typeof timersPromises.setTimeout): typeof timersPromises.setTimeout {
  const wrapped: typeof make = (delayMs, value, options) => {
    let isPending = options?.ref !== false;
    const settled = () => {
      isPending = false;
    };
    const sleep = make(delayMs, value, options);
    sleep.then(settled, settled);
    track(delayMs, wrapped, () => isPending);
    return sleep;
  };
  return wrapped;
}
