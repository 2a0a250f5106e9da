import { leakCheck, type RedisServer, startRedis } from '@redis-pool/testkit';
import type { Redis, RedisOptions } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import type { RedisConnectionOptions, RedisPoolOptions } from '../../src/options/options.js';
import { type Link, openIoredis, openPool } from './peers.js';
import { type Recorder, startRecorder } from './recorder.js';

/** A server and what the tests of one file open on it, all of it closed at the end of the file. */
export interface Testbed {
  readonly server: RedisServer;
  ioredis(options?: RedisOptions, url?: string): Promise<Redis>;
  pool(
    link: Link,
    redis?: RedisConnectionOptions,
    options?: Omit<RedisPoolOptions, 'name' | 'redis'>,
  ): Promise<RedisPool>;
  recorder(): Promise<Recorder>;
}

// The server looks for blocked clients whose time is over `hz` times a second.
const SERVER_ARGUMENTS = ['--enable-debug-command', 'yes', '--hz', '500'];

/** To be called once, before other hooks. The file fails when anything is left at its end. */
export function useTestbed(): Testbed {
  let started: RedisServer | undefined;
  const closers: (() => unknown)[] = [];
  const check = leakCheck({ servers: () => (started === undefined ? [] : [started]) });
  const server = (): RedisServer => {
    if (started === undefined) throw new Error('The server starts before all tests');
    return started;
  };

  beforeAll(async () => {
    started = await startRedis({ args: SERVER_ARGUMENTS });
    await check.before();
  });

  afterAll(async () => {
    for (const close of closers.reverse()) await close();
    await check.after().finally(() => started?.stop());
  });

  return {
    get server() {
      return server();
    },
    async ioredis(options, url = server().url) {
      const redis = await openIoredis(url, options);
      closers.push(() => redis.disconnect());
      return redis;
    },
    async pool(link, redis, options = {}) {
      const pool = await openPool({ link, redis, options: { url: server().url, ...options } });
      closers.push(() => pool.close());
      return pool;
    },
    async recorder() {
      const recorder = await startRecorder(server());
      closers.push(() => recorder.close());
      return recorder;
    },
  };
}
