import { withSecrets } from '../options/frozen-copy.js';
import type { Address, ResolvedOptions, SentinelEndpoint } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import { type DialTarget, dial } from '../transport/dial.js';
import { addressOf, readAnswer, type SentinelAnswer } from './sentinel-replies.js';

/** The options of a pool that follows Sentinels. */
export type SentinelPoolOptions = ResolvedOptions & { readonly endpoint: SentinelEndpoint };

/** Where Sentinels announce that another server became the master: `<group> <old host> <old port> <new host> ...`. */
const SWITCHED = '+switch-master';
/**
 * Where one of them says, up to a second before, that it has told a replica to become the master: `slave <name> <host>
 * <port> @ <group> ...`. What the old master acknowledges from then on is lost.
 */
const PROMOTING = '+failover-state-wait-promotion';

/** What is heard from a Sentinel. */
export interface SentinelListener {
  /** It knows of another master. */
  onSwitch(): void;
  /** This replica is becoming the master. */
  onPromotion(address: Address): void;
}

/** Asks one Sentinel where everybody is, on a connection that is closed afterwards. */
export function askSentinel(
  options: SentinelPoolOptions,
  address: Address,
  signal: AbortSignal,
): Promise<SentinelAnswer> {
  const { endpoint } = options;
  const prepare = async (connection: Connection): Promise<SentinelAnswer> => {
    const ask = (subcommand: string) => connection.redis.call('SENTINEL', subcommand, endpoint.name);
    try {
      const replies = await Promise.all(
        ['GET-MASTER-ADDR-BY-NAME', 'MASTER', 'SLAVES', 'SENTINELS'].map(ask),
      );
      return readAnswer(replies, endpoint);
    } finally {
      connection.destroy();
    }
  };
  return dial(targetOf(options, address), 'sentinel', { prepare }, signal);
}

/** A connection that hears of every new master of the group; it keeps no process alive. */
export function subscribeSentinel(
  options: SentinelPoolOptions,
  address: Address,
  listener: SentinelListener,
  signal: AbortSignal,
): Promise<Connection> {
  const { endpoint } = options;
  const prepare = async (connection: Connection) => {
    const { redis, socket } = connection;
    redis.on('message', (channel: string, text: string) => {
      const words = text.split(' ');
      const [, , ip = '', port = '', , group] = words;
      if (channel === SWITCHED && words[0] === endpoint.name) listener.onSwitch();
      if (channel === PROMOTING && group === endpoint.name)
        listener.onPromotion(addressOf({ ip, port }, endpoint));
    });
    // A user who may not hear the second one is only later.
    await Promise.all([redis.subscribe(SWITCHED), redis.subscribe(PROMOTING).catch(() => {})]);
    socket.unref();
    return connection;
  };
  return dial(targetOf(options, address), 'sentinel', { prepare }, signal);
}

function targetOf(options: SentinelPoolOptions, address: Address): DialTarget {
  // The provider is asked for those of the servers only.
  const fixed = { ask: async () => undefined, newerThan: () => undefined };
  return { options: sentinelOptions(options, address), credentials: fixed };
}

function sentinelOptions(options: SentinelPoolOptions, { host, port }: Address): ResolvedOptions {
  const { sentinelUsername, sentinelPassword, sentinelTLS, family } = options.endpoint;
  const shown = {
    ...options,
    endpoint: { kind: 'tcp' as const, host, port, family },
    auth: withSecrets(
      sentinelUsername === undefined ? {} : { username: sentinelUsername },
      sentinelPassword === undefined ? {} : { password: sentinelPassword },
    ),
    credentials: undefined,
    db: 0,
    // Every version of Sentinel has it, and what is asked looks the same in both.
    redis: { ...options.redis, protocol: 2 as const, replyMapping: 'legacy' as const, stringNumbers: false },
    hooks: {},
    // Of the time to connect, so that a pool whose Sentinels are silent can say so.
    connectTimeoutMs: Math.ceil(options.connectTimeoutMs / 2),
  };
  return withSecrets(shown, { tls: sentinelTLS });
}
