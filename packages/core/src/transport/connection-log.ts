import type { ConnectionRole } from '../options/options.js';
import { describeEndpoint, type ResolvedOptions } from '../options/resolved-options.js';
import type { DialError } from './dial.js';

/** How long an outage lasts before its first summary; each later one comes after four times as long. */
const FIRST_SUMMARY_MS = 30_000;

interface Outage {
  readonly since: number;
  failures: number;
  /** Whether the server was reached once and loaded its data, which is told once. */
  hasLoaded: boolean;
  /** How long it has to last for the next summary. */
  nextSummaryMs: number;
}

/**
 * Tells the log how the connections of a pool are doing: one line for each change of state, and while an outage lasts
 * a summary now and then, however many attempts there are. Leases come and go; they are told of only when none can be
 * made.
 */
export class ConnectionLog {
  readonly #options: ResolvedOptions;
  #everConnected = false;
  #outage: Outage | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  connected(role: ConnectionRole): void {
    const outage = this.#outage;
    this.#outage = undefined;
    if (this.#everConnected && outage === undefined) return;
    const again = this.#everConnected ? ' again' : '';
    this.#everConnected = true;
    if (outage === undefined) this.#write('info', { role }, `is connected to ${this.#where}`);
    else {
      const downMs = elapsedSince(outage.since);
      const { failures } = outage;
      const after = `after ${downMs} ms and ${failures} failed attempts`;
      this.#write('info', { role, downMs, failures }, `is connected to ${this.#where}${again} ${after}`);
    }
  }

  lost(role: ConnectionRole, cause: Error | undefined): void {
    if (role === 'lease' || this.#outage !== undefined) return;
    this.#begin();
    this.#write('warn', { role, cause: cause?.message }, `lost its connection to ${this.#where}`);
  }

  failed(role: ConnectionRole, error: DialError, retryInMs: number): void {
    this.#outage ??= this.#begin();
    const outage = this.#outage;
    outage.failures += 1;
    const { logger, name } = this.#options;
    if (outage.failures === 1) logger.warn({ pool: name, role, code: error.code, retryInMs }, error.message);
    else this.#summarize(role, outage, error);
  }

  loading(role: ConnectionRole, error: DialError): void {
    this.#outage ??= this.#begin();
    const outage = this.#outage;
    if (outage.hasLoaded) this.#summarize(role, outage, error);
    else this.#write('info', { role }, `has reached ${this.#where}, which loads its data, and waits for it`);
    outage.hasLoaded = true;
  }

  #summarize(role: ConnectionRole, outage: Outage, { code, message }: DialError): void {
    const downMs = elapsedSince(outage.since);
    if (downMs < outage.nextSummaryMs) return;
    outage.nextSummaryMs *= 4;
    const { failures } = outage;
    const state = `still has no connection to ${this.#where} after ${downMs} ms and ${failures} failed attempts`;
    this.#write('warn', { role, code, downMs, failures }, `${state}: ${message}`);
  }

  #begin(): Outage {
    this.#outage = {
      since: performance.now(),
      failures: 0,
      hasLoaded: false,
      nextSummaryMs: FIRST_SUMMARY_MS,
    };
    return this.#outage;
  }

  get #where(): string {
    return describeEndpoint(this.#options);
  }

  #write(level: 'info' | 'warn', fields: object, what: string): void {
    const { logger, name } = this.#options;
    logger[level]({ pool: name, ...fields }, `Redis pool "${name}" ${what}`);
  }
}

function elapsedSince(since: number): number {
  return Math.round(performance.now() - since);
}
