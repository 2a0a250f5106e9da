import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRedisPool, getRedisPool, type RedisPool } from '../../src/index.js';
import { errorOf, outcomeOf } from '../fault/pool-harness.js';

let server: RedisServer;
const pools: RedisPool[] = [];

useLeakCheck(() => [server]);

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
afterEach(() => {
  for (const pool of pools.splice(0)) pool.destroy();
});

function track(pool: RedisPool): RedisPool {
  pools.push(pool);
  return pool;
}

/** What a function throws. */
function thrownBy(run: () => unknown): unknown {
  try {
    track(run() as RedisPool);
  } catch (error) {
    return error;
  }
  throw new Error('It threw nothing');
}

describe('the registry of pools', () => {
  test('two pools of one name share one connection, and the last handle that is closed ends it', async () => {
    const options = { name: 'shared', url: server.url };
    const first = track(createRedisPool(options));
    const second = track(createRedisPool(options));
    const third = track(getRedisPool('shared'));
    await Promise.all([first.set('a', 1), second.set('b', 2), third.set('c', 3)]);
    expect(await server.clients()).toHaveLength(1);
    expect(await first.close()).toMatchObject({ drained: true, cutCommands: 0 });
    expect(await second.mget('a', 'b', 'c')).toEqual(['1', '2', '3']);
    await third.close();
    expect(first.status).toBe('closed');
    expect(second.status).toBe('ready');
    expect(await errorOf(first.get('a'))).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
    await second.close();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the connection is closed' });
  });

  test('closing one handle twice does not take the place of another', async () => {
    const first = track(createRedisPool({ name: 'twice', url: server.url }));
    const second = track(getRedisPool('twice'));
    await first.ready();
    await Promise.all([first.close(), first.close()]);
    await first.close();
    expect(await second.ping()).toBe('PONG');
  });

  test('destroying a handle that is closed leaves the pool to the other handles', async () => {
    const first = track(createRedisPool({ name: 'closed-then-destroyed', url: server.url }));
    const second = track(getRedisPool('closed-then-destroyed'));
    await second.ready();
    await first.close();
    first.destroy();
    first.destroy();
    expect(second.status).toBe('ready');
    expect(await second.ping()).toBe('PONG');
    expect(track(getRedisPool('closed-then-destroyed')).status).toBe('ready');
  });

  test('destroying one of two handles leaves the pool to the other', async () => {
    const first = track(createRedisPool({ name: 'one-destroyed', url: server.url }));
    const second = track(getRedisPool('one-destroyed'));
    await second.ready();
    const running = outcomeOf(first.set('key', 'value'));
    first.destroy();
    expect(await running).toMatchObject({ value: 'OK' });
    expect(await second.get('key')).toBe('value');
    expect(await errorOf(first.get('key'))).toMatchObject({ code: 'RP_ERR_CLOSED' });
  });

  test('other options are a conflict that names each of them and no value', () => {
    track(createRedisPool({ name: 'conflict', url: server.url, redis: { password: 's3cret-one' } }));
    const error = thrownBy(() =>
      createRedisPool({
        name: 'conflict',
        url: server.url,
        redis: { password: 's3cret-two', db: 3 },
        commandTimeoutMs: 77,
        maxPending: { bytes: 99 },
      }),
    ) as Error;
    expect(error).toMatchObject({ code: 'RP_ERR_POOL_CONFLICT' });
    for (const name of ['commandTimeoutMs', 'maxPending.bytes', 'redis.db', 'redis.password']) {
      expect(error.message).toContain(name);
    }
    expect(error.message).not.toContain('retryReads');
    expect(error.message).not.toMatch(/s3cret|77|99/);
    // The failed attempt is no handle: the first one is still the last one.
    expect(getRedisPool('conflict').close()).toBeInstanceOf(Promise);
  });

  test('the same options written in another way are no conflict', () => {
    const { port } = server;
    track(createRedisPool({ name: 'same', url: `redis://127.0.0.1:${port}/2` }));
    track(
      createRedisPool({ name: 'same', redis: { host: '127.0.0.1', port, db: 2 }, lanes: 1, retryReads: 1 }),
    );
    expect(pools.splice(0).map((pool) => pool.destroy())).toHaveLength(2);
  });

  test('an unknown name is an error that tells the known ones', () => {
    track(createRedisPool({ name: 'known', url: server.url }));
    expect(thrownBy(() => getRedisPool('unknown'))).toMatchObject({
      code: 'RP_ERR_UNKNOWN_POOL',
      message: expect.stringContaining('"known"'),
    });
    expect(thrownBy(() => getRedisPool())).toMatchObject({ code: 'RP_ERR_UNKNOWN_POOL' });
  });

  test('a name is free again as soon as its last handle is being closed', async () => {
    const first = track(createRedisPool({ name: 'again', url: server.url }));
    await first.ready();
    const closing = first.close();
    const second = track(createRedisPool({ name: 'again', url: server.url, commandTimeoutMs: 1_234 }));
    expect(await second.ping()).toBe('PONG');
    await closing;
    expect(await second.ping()).toBe('PONG');
    // The end of the first must not have taken the name from the second.
    expect(track(getRedisPool('again')).status).toBe('ready');
  });

  test('nothing is connected before the first use', async () => {
    const pool = track(createRedisPool({ name: 'unused', url: server.url }));
    pool.scope();
    pool.pipeline().get('key');
    expect(pool.stats()).toMatchObject({ connectAttempts: 0, status: 'connecting' });
    expect(await server.clients()).toHaveLength(0);
    expect(await pool.close()).toMatchObject({ drained: true, cutCommands: 0 });
    expect(pool.stats().connectAttempts).toBe(0);
  });

  test('a second copy of the package finds the pool of the first, and knows its errors', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    // Beside the dependencies, so that it finds them. A query in the address would copy the entry alone.
    const copy = await mkdtemp(join(root, 'node_modules', '.second-copy-'));
    try {
      await cp(join(root, 'dist'), copy, { recursive: true });
      await writeFile(join(copy, 'package.json'), '{ "type": "module" }');
      const [first, second] = [root, copy].map((directory, index) =>
        pathToFileURL(join(directory, index === 0 ? 'dist/index.js' : 'index.js')),
      );
      const script = `
        const first = await import('${first}');
        const second = await import('${second}');
        const pool = first.createRedisPool({ name: 'copies', url: process.argv[1] });
        const joined = second.getRedisPool('copies');
        const again = second.createRedisPool({ name: 'copies', url: process.argv[1] });
        await pool.set('key', 'value');
        const value = await joined.get('key');
        const list = String(await again.client('LIST')).split('\\n').filter((line) => line.includes('name=copies'));
        await pool.close();
        await again.close();
        const error = await pool.get('key').catch((thrown) => thrown);
        const stillWorks = await joined.ping();
        await joined.close();
        console.log(JSON.stringify({
          isCopy: first.RedisPool !== second.RedisPool && first.RedisPoolError !== second.RedisPoolError,
          value, connections: list.length, stillWorks, code: error.code,
          known: second.isRedisPoolError(error) && error instanceof second.RedisPoolError,
        }));`;
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', script, server.url],
        { timeout: 10_000 },
      );
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toEqual({
        isCopy: true,
        value: 'value',
        connections: 1,
        stillWorks: 'PONG',
        code: 'RP_ERR_CLOSED',
        known: true,
      });
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });
});
