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
  /** Connections that were given up for another one although nothing had failed: aged, or of no use any more. */
  replacedConnections = 0;
  /** Connections that authenticated again, and those that the server refused it. */
  reauthentications = 0;
  reauthenticationsFailed = 0;
  /** Times that a server said that it is a read-only replica, or asked for credentials, and connections were replaced. */
  uselessServers = 0;
  readonly errors = new Map<RedisPoolErrorCode, number>();

  countError(code: RedisPoolErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }
}
