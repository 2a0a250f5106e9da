import type { RedisPoolErrorCode } from './errors/errors.js';

/** Everything that can go wrong in an engine, counted. */
export class Counters {
  commands = 0;
  resends = 0;
  /** Error replies of the server, which pass through to the caller. */
  errorReplies = 0;
  lostConnections = 0;
  /** Transactions that had to start again because a watched key changed. */
  conflicts = 0;
  /** Leases held for longer than `leaseReportMs`. */
  longLeases = 0;
  /** Leases taken back from scopes that had ended. */
  forgottenLeases = 0;
  /** Requests whose client hung up while they used a scope. */
  hangUps = 0;
  /** Connections that were ended because the server owed a reply and sent nothing. */
  stalls = 0;
  /** PINGs on idle connections. */
  heartbeats = 0;
  /** Of those, unanswered ones, which ended their connection. */
  heartbeatsFailed = 0;
  readonly errors = new Map<RedisPoolErrorCode, number>();

  countError(code: RedisPoolErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }
}
