// The process that asks, so that asking takes no time of the event loop that answers.
import autocannon from 'autocannon';
import { serveParent } from './serve-parent.mjs';

const REPORT_EVERY_MS = 200;

serveParent(async ({ url, paths, connections, warmUpMs, measureMs, maxRequests }, report) => {
  const requests = paths.map((path) => ({ method: 'GET', path }));
  // Longer than it is ever let run; with short samples it stops soon when it is told to.
  const load = autocannon({ url, requests, connections, duration: 600, sampleInt: 100, timeout: 10 });
  const window = new Window();
  let asked = 0;
  load.on('response', (_client, status, _bytes, ms) => {
    asked += 1;
    window.add(status, ms);
    if (asked === maxRequests) window.close();
  });
  load.on('reqError', () => window.addFailure());
  const reporter = setInterval(() => report(window.count), REPORT_EVERY_MS);
  setTimeout(() => window.open(measureMs), warmUpMs);
  await window.closed;
  clearInterval(reporter);
  load.stop();
  return { ...window.result(), stoppedEarly: asked >= maxRequests };
});

/** Counts what is answered between open() and close(). */
class Window {
  #times = [];
  #failed = 0;
  #openedAt;
  #elapsedMs;
  #end;
  closed = new Promise((resolve) => {
    this.#end = resolve;
  });

  get count() {
    return this.#times.length;
  }

  open(limitMs) {
    this.#openedAt = performance.now();
    setTimeout(() => this.close(), limitMs);
  }

  close() {
    if (this.#openedAt === undefined || this.#elapsedMs !== undefined) return;
    this.#elapsedMs = performance.now() - this.#openedAt;
    this.#end();
  }

  add(status, ms) {
    if (!this.#isOpen) return;
    if (status >= 200 && status < 300) this.#times.push(ms);
    else this.#failed += 1;
  }

  addFailure() {
    if (this.#isOpen) this.#failed += 1;
  }

  /** Requests per second and times are those of the answers with a 2xx status. */
  result() {
    const times = Float64Array.from(this.#times).sort();
    const percentile = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
    return {
      requestsPerSecond: (times.length * 1_000) / this.#elapsedMs,
      p50Ms: percentile(0.5),
      p99Ms: percentile(0.99),
      failed: this.#failed,
    };
  }

  get #isOpen() {
    return this.#openedAt !== undefined && this.#elapsedMs === undefined;
  }
}
