import type { Address, SentinelEndpoint } from '../options/resolved-options.js';

/** What one Sentinel says about a master group. */
export interface SentinelAnswer {
  readonly master: Address;
  /** Number of the failover that made it the master: of two answers the higher one is the later one. */
  readonly epoch: number;
  /** That are up, as far as this Sentinel sees. */
  readonly replicas: readonly ReplicaFields[];
  /** The other Sentinels. */
  readonly sentinels: readonly Address[];
}

/** A replica as Sentinels describe it. */
export interface ReplicaFields {
  readonly ip: string;
  readonly port: string;
  readonly flags?: string | undefined;
}

type Fields = Readonly<Record<string, string>>;

const DOWN = /disconnected|s_down|o_down/;

/** The replies to SENTINEL GET-MASTER-ADDR-BY-NAME, MASTER, SLAVES and SENTINELS, in this order. */
export function readAnswer(replies: readonly unknown[], endpoint: SentinelEndpoint): SentinelAnswer {
  const [address, master, replicas, sentinels] = replies;
  const [host = '', port = ''] = list(address) as string[];
  const isUp = ({ flags = '' }: Fields) => !DOWN.test(flags);
  return {
    master: translate({ host, port: Number(port) }, endpoint),
    epoch: Number(fieldsOf(master)['config-epoch'] ?? 0),
    replicas: list(replicas).map(fieldsOf).filter(isUp) as unknown as ReplicaFields[],
    sentinels: list(sentinels)
      .map(fieldsOf)
      .filter(isUp)
      .map((fields) => addressOf(fields as unknown as ReplicaFields, endpoint)),
  };
}

export function addressOf({ ip, port }: ReplicaFields, endpoint: SentinelEndpoint): Address {
  return translate({ host: ip, port: Number(port) }, endpoint);
}

/** The replica to use: the best of `preferredSlaves` that is up, else any. */
export function chooseReplica(
  replicas: readonly ReplicaFields[],
  { preferredSlaves }: SentinelEndpoint,
): ReplicaFields | undefined {
  const any = replicas[Math.floor(Math.random() * replicas.length)];
  if (typeof preferredSlaves === 'function') return preferredSlaves([...replicas]) ?? any;
  const preferred = [preferredSlaves ?? []].flat();
  const byPriority = [...preferred].sort((a, b) => (a.prio ?? 1) - (b.prio ?? 1));
  for (const { ip, port } of byPriority) {
    const found = replicas.find((replica) => replica.ip === ip && replica.port === String(port));
    if (found !== undefined) return found;
  }
  return any;
}

export function isSameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}

/** What Sentinels call an address may be another one from here. */
function translate(address: Address, { natMap }: SentinelEndpoint): Address {
  const key = `${address.host}:${address.port}`;
  const found = typeof natMap === 'function' ? natMap(key) : natMap?.[key];
  return found === null || found === undefined ? address : { host: found.host, port: Number(found.port) };
}

function list(reply: unknown): unknown[] {
  return Array.isArray(reply) ? reply : [];
}

/** Names and values in turn. */
function fieldsOf(reply: unknown): Fields {
  const flat = list(reply).map(String);
  const pairs = flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []));
  return Object.fromEntries(pairs) as Fields;
}
