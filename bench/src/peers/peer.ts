/** How a peer reaches the server. */
export type Target =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'tls'; readonly host: string; readonly port: number; readonly ca: string };

/** The commands of the workloads. Replies are those of the peer; `verify.ts` compares what they mean. */
export interface PeerClient {
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  mget(keys: string[]): Promise<unknown>;
  hgetall(key: string): Promise<unknown>;
  close(): Promise<void>;
}

/** A client library, or a way of using one. */
export interface Peer {
  readonly id: PeerId;
  /** Opens its connections and resolves when they can be used. */
  connect(target: Target): Promise<PeerClient>;
}

/** Every peer, in the order of tables and charts. */
export const PEER_IDS = [
  'redis-pool',
  'ioredis',
  'ioredis-autopipelining',
  'iovalkey',
  'node-redis',
  'node-redis-pool',
  'valkey-glide',
  'generic-pool',
  'bare-socket',
] as const;

export type PeerId = (typeof PEER_IDS)[number];
