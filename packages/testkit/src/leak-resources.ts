import type { LeakProbe } from './leak-probe.js';

const WATCHED = /^(TCP|TLS|Pipe|UDP|Process|GetAddrInfo)/;

/** Finds sockets, listeners, pipes and child processes that keep this process alive and did not before. */
export class ResourceProbe implements LeakProbe {
  #before = new Map<string, number>();

  start(): void {
    this.#before = countResources();
  }

  findings(): readonly string[] {
    return [...countResources()].flatMap(([type, count]) => {
      const before = this.#before.get(type) ?? 0;
      return count > before
        ? [`${count - before} more ${type} than before the test (${count}, was ${before})`]
        : [];
    });
  }

  stop(): void {
    this.#before.clear();
  }
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) {
    if (WATCHED.test(type)) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}
