import type { FaultProxy, RedisServer } from '@redis-pool/testkit';
import { waitUntil } from '@redis-pool/testkit';
import type { RedisPool, RedisPoolOptions } from '../../src/index.js';
import { callsAt } from './pool-harness.js';

/** What a failure mode is made with. The proxy stands in front of the server. */
export interface FailureScene {
  readonly server: RedisServer;
  readonly proxy: FaultProxy;
  readonly openPool: (options: RedisPoolOptions) => RedisPool;
}

/** Makes the fault; resolves with the error that the caller got, or `undefined`. */
export type FailureMode = (scene: FailureScene) => Promise<unknown>;

/** The reason of every abort. */
export const REASON = new Error('The caller has gone');

export const FAST_RECONNECT = { minDelayMs: 1, maxDelayMs: 10 };

/** A pool behind the proxy that is connected. */
export async function openReady(
  { openPool, proxy }: FailureScene,
  options: RedisPoolOptions = {},
): Promise<RedisPool> {
  const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT, ...options });
  await pool.ready();
  return pool;
}

/** Resolves when the server has run a command so many times since `CONFIG RESETSTAT`. */
export async function untilRan(server: RedisServer, command: string, times = 1): Promise<void> {
  await waitUntil(async () => (await callsAt(server, command)) === times, {
    what: `the server ran ${command} ${times} times`,
  });
}

/** Resolves when a client waits at the server. */
export async function untilParked(server: RedisServer): Promise<void> {
  const isParked = async () => (await server.clients()).some(({ flags }) => flags.includes('b'));
  await waitUntil(isParked, { what: 'a client waits at the server' });
}
