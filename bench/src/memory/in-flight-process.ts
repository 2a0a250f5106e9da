import { setTimeout } from 'node:timers/promises';
import { createRedisPool } from '@redis-pool/core';
import { serveParent } from '../child/serve-parent.js';
import { connectIoredis } from '../peers/ioredis.js';
import type { Target } from '../peers/peer.js';
import { requireTcp } from '../peers/require-tcp.js';

export const IN_FLIGHT_PEERS = ['redis-pool', 'ioredis'] as const;
export type InFlightPeer = (typeof IN_FLIGHT_PEERS)[number];

export type InFlightOrder =
  | {
      readonly step: 'connect';
      readonly peer: InFlightPeer;
      readonly target: Target;
      readonly commands: number;
    }
  | { readonly step: 'send' | 'await-replies' };

/** Growth of this process for one command in flight. */
export interface InFlightMemory {
  readonly heapBytes: number;
  /** Outside V8's heap but known to it: the contents of Buffers. */
  readonly externalBytes: number;
  readonly rssBytes: number;
}

type Get = (key: string) => Promise<unknown>;

interface Prepared {
  readonly get: Get;
  readonly keys: readonly string[];
  readonly replies: Promise<unknown>[];
  readonly before: NodeJS.MemoryUsage;
}

let prepared: Prepared | undefined;

// Sends everything while the server is frozen, and looks at what that costs.
serveParent<InFlightOrder, InFlightMemory | undefined>(async (order) => {
  switch (order.step) {
    case 'connect':
      prepared = await prepare(order);
      return undefined;
    case 'send':
      return send(prepared as Prepared);
    case 'await-replies':
      await Promise.all((prepared as Prepared).replies);
      return undefined;
  }
});

// What a caller would hold anyway, the keys and the list of promises, is there before the first look.
async function prepare({ peer, target, commands }: Extract<InFlightOrder, { step: 'connect' }>) {
  const get = await connect(peer, target);
  const keys = Array.from({ length: commands }, (_, index) => `bench:string:100:${index % 1_024}`);
  const replies = new Array<Promise<unknown>>(commands).fill(Promise.resolve());
  await Promise.all(keys.slice(0, 1_024).map(get));
  return { get, keys, replies, before: await settledMemory() };
}

async function connect(peer: InFlightPeer, target: Target): Promise<Get> {
  if (peer === 'ioredis') {
    const redis = await connectIoredis(target);
    return (key) => redis.get(key);
  }
  const { host, port } = requireTcp(target);
  const pool = createRedisPool({ url: `redis://${host}:${port}`, commandTimeoutMs: 60_000 });
  await pool.ready();
  return (key) => pool.get(key);
}

async function send({ get, keys, replies, before }: Prepared): Promise<InFlightMemory> {
  for (const [index, key] of keys.entries()) replies[index] = get(key);
  const after = await settledMemory();
  const each = (of: (usage: NodeJS.MemoryUsage) => number) =>
    Math.round((of(after) - of(before)) / keys.length);
  return {
    heapBytes: each(({ heapUsed }) => heapUsed),
    externalBytes: each(({ external }) => external),
    rssBytes: each(({ rss }) => rss),
  };
}

/** After the socket took what it takes, and without garbage. */
async function settledMemory(): Promise<NodeJS.MemoryUsage> {
  await setTimeout(200);
  gc?.();
  gc?.();
  return process.memoryUsage();
}
