import type { PoolCommand } from '../commands/command.js';
import type { RedisPoolError } from '../errors/errors.js';
import { Place } from '../errors/place.js';
import { divideTime, type Spending, type TimeSpent } from '../errors/time-spent.js';
import type { Connection } from '../transport/connection.js';
import type { ExclusivePool } from './exclusive-pool.js';
import type { ForgottenLease } from './forgotten-leases.js';
import type { Holder } from './holder.js';
import type { LeaseConnection } from './lease-connection.js';
import type { LeaseHost } from './lease-host.js';

type LeasePool = Pick<ExclusivePool<LeaseConnection>, 'counts' | 'lastError'>;

/** What the leases of an engine have to tell: errors with every counter that explains them, and long leases. */
export class LeaseReports {
  readonly #host: LeaseHost;
  readonly #pool: LeasePool;

  constructor(host: LeaseHost, pool: LeasePool) {
    this.#host = host;
    this.#pool = pool;
  }

  /** Nobody gave a lease back in time, and none could be made. */
  noLease(limitMs: number, holder: Holder | undefined): RedisPoolError {
    const cause = this.#pool.lastError ?? this.#host.lastDialError;
    const holding = holder?.holding();
    const own = holding === undefined ? '' : `. This caller holds a lease itself, since:\n${holding.place}`;
    const reason = `had no lease to give within ${limitMs} ms (acquireTimeoutMs): ${this.#state()}${own}`;
    const last = this.#host.isUp ? 'leaseMs' : 'connectionMs';
    return this.#host.error('RP_ERR_ACQUIRE_TIMEOUT', reason, {
      ...(cause === undefined ? {} : { cause }),
      maybeExecuted: false,
      timeSpent: this.#timeSpent(limitMs, last),
    });
  }

  hookHangs(): RedisPoolError {
    const reason = `had no lease to give in time (acquireTimeoutMs): the hook "acquire" still runs; ${this.#state()}`;
    return this.#host.error('RP_ERR_ACQUIRE_TIMEOUT', reason, { maybeExecuted: false });
  }

  full(): RedisPoolError {
    const reason = `lets no more callers wait for a lease: maxWaiting ${this.#host.options.maxWaiting} is reached (${this.#state()})`;
    return this.#host.error('RP_ERR_QUEUE_FULL', reason, { maybeExecuted: false });
  }

  /** To be called where the lease is wanted. */
  deadlock(heldSince: Place | undefined): RedisPoolError {
    const { leased } = this.#pool.counts;
    const reason =
      `would wait for ever: this caller holds a lease, and all ${leased} leases are held by callers that wait for ` +
      `another. Raise maxConnections (${this.#host.budget.max}), or acquire once.\n` +
      `Held since:\n${heldSince}\nWanted:\n${Place.here()}`;
    return this.#host.error('RP_ERR_LEASE_DEADLOCK', reason, { maybeExecuted: false });
  }

  released(maybeExecuted: boolean): RedisPoolError {
    const reason = 'got a lease back while a blocking command of it was waiting';
    return this.#host.error('RP_ERR_LEASE_RELEASED', reason, { maybeExecuted });
  }

  late(command: PoolCommand, timeoutMs: number, { unsentBytes }: Connection): RedisPoolError {
    const reason = `got no reply to ${nameOf(command)} on a lease within ${timeoutMs} ms (commandTimeoutMs)`;
    const timeSpent = this.#timeSpent(timeoutMs, unsentBytes > 0 ? 'socketMs' : 'serverMs');
    return this.#host.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted: true, timeSpent });
  }

  lateWait(command: PoolCommand, timeoutMs: number): RedisPoolError {
    const reason = `got no reply to ${nameOf(command)} within ${timeoutMs} ms (its own timeout and commandTimeoutMs)`;
    const timeSpent = this.#timeSpent(timeoutMs, 'serverMs');
    return this.#host.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted: true, timeSpent });
  }

  lost(command: PoolCommand, cause: unknown, maybeExecuted: boolean): RedisPoolError {
    const reason = `lost the connection of a lease before ${nameOf(command)} was answered`;
    return this.#host.error('RP_ERR_CONNECTION_LOST', reason, { cause, maybeExecuted });
  }

  closed(command: PoolCommand, cause: unknown, maybeExecuted: boolean): RedisPoolError {
    const reason = `was closed before ${nameOf(command)} was answered on a lease`;
    return this.#host.error('RP_ERR_CLOSED', reason, { cause, maybeExecuted });
  }

  longLease(heldMs: number, place: Place): void {
    const { logger, name } = this.#host.options;
    const fields = { pool: name, heldMs: Math.round(heldMs), acquiredAt: `${place}` };
    this.#host.counters.longLeases += 1;
    logger.warn(
      fields,
      `A lease of Redis pool "${name}" is held for ${fields.heldMs} ms (leaseReportMs): is it released?`,
    );
  }

  /** Its connection is back already. */
  forgottenLease({ label, afterMs, place }: ForgottenLease): void {
    const { logger, name } = this.#host.options;
    this.#host.counters.forgottenLeases += 1;
    logger.warn(
      { pool: name, scope: label, acquiredAt: `${place}` },
      `A lease of Redis pool "${name}" was taken back: ${label} has ended and did not use it for ${afterMs} ms ` +
        '(forgottenLeaseMs); release() is missing',
    );
  }

  /** Of a wait that ended at its limit just now. */
  #timeSpent(limitMs: number, last: Spending['last']): TimeSpent {
    const now = performance.now();
    // Timers of waits come late for the same reasons as all others.
    const blockedMs = this.#host.delay.blockedSince(now - limitMs, now);
    return divideTime({ elapsedMs: limitMs, last, blockedMs });
  }

  #state(): string {
    const { leased, idle, creating, waiting } = this.#pool.counts;
    const { used, max } = this.#host.budget;
    return `${leased} leased, ${idle} idle, ${creating} connecting, ${waiting} waiting; ${used} of maxConnections ${max} in use`;
  }
}

function nameOf(command: PoolCommand): string {
  return command.profile.name.toUpperCase();
}
