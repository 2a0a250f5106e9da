import { connectIoredis } from '../peers/ioredis.js';
import type { Target } from '../peers/peer.js';
import type { Workload } from './cell-spec.js';

const KIB = 1_024;
const FIELDS = 10;
const KEYS_PER_MGET = 10;

/**
 * The keys and values of one cell, made once so that the callers spend no time on them. Each list has a power of
 * two of entries, so that a counter becomes an index with one mask.
 */
export interface Dataset {
  readonly value: string;
  /** Strings that are read. */
  readonly keys: readonly string[];
  /** Strings that are written. */
  readonly writeKeys: readonly string[];
  readonly keyGroups: readonly string[][];
  readonly hashKeys: readonly string[];
  readonly hash: Readonly<Record<string, string>>;
}

export function createDataset(valueBytes: number, workload: Workload): Dataset {
  const count = keyCount(valueBytes);
  // The others need one hash, to be verified with.
  const hashCount = workload === 'hgetall' || workload === 'mixed' ? count : 1;
  const value = asciiValue(valueBytes);
  const name = (kind: string) => (_: unknown, index: number) => `bench:${kind}:${valueBytes}:${index}`;
  const keys = Array.from({ length: count }, name('string'));
  return {
    value,
    keys,
    writeKeys: Array.from({ length: count }, name('written')),
    keyGroups: keys.map((_, at) =>
      Array.from({ length: KEYS_PER_MGET }, (_unused, offset) => keys[(at + offset) % count] as string),
    ),
    hashKeys: Array.from({ length: hashCount }, name('hash')),
    hash: Object.fromEntries(Array.from({ length: FIELDS }, (_, index) => [`field:${index}`, value])),
  };
}

/** Empties the server and writes what the workloads read. */
export async function fill(target: Target, { keys, hashKeys, value, hash }: Dataset): Promise<void> {
  const redis = await connectIoredis(target);
  await redis.flushall();
  await Promise.all(keys.map((key) => redis.set(key, value)));
  await Promise.all(hashKeys.map((key) => redis.hset(key, hash)));
  await redis.quit();
}

// Few enough for some 50 MB of values at the most.
function keyCount(valueBytes: number): number {
  if (valueBytes > 64 * KIB) return 8;
  return valueBytes > 4 * KIB ? 256 : 1_024;
}

function asciiValue(bytes: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length: bytes }, (_, index) => alphabet[(index * 7) % alphabet.length]).join('');
}
