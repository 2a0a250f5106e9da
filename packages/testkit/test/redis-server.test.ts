import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort, type RedisServer, type StartRedisOptions, startRedis, waitUntil } from '../src/index.js';
import { useLeakCheck } from '../src/vitest.js';
import { RawClient } from './raw-client.js';

useLeakCheck();

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(options?: StartRedisOptions): Promise<RedisServer> {
  const server = await startRedis(options);
  cleanUps.push(() => server.stop());
  return server;
}

type DialOptions = Pick<RedisOptions, 'connectionName' | 'db'>;

async function dial(url: string, options: DialOptions = {}): Promise<Redis> {
  const redis = new Redis(url, { ...options, lazyConnect: true, retryStrategy: null });
  redis.on('error', () => {});
  cleanUps.push(() => redis.stream.destroy());
  await redis.connect();
  return redis;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a server that was started', () => {
  test('answers on its url, keeps nothing on disk, and listens on the loopback interface only', async () => {
    const server = await start();
    const redis = await dial(server.url);
    expect(await redis.set('key', 'value')).toBe('OK');
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(await server.adminCommand('CONFIG', 'GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    expect(await server.adminCommand('CONFIG', 'GET', 'save')).toEqual(['save', '']);
    expect(await server.adminCommand('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
  });

  test('has the pid of redis-server itself', async () => {
    const server = await start();
    expect(await server.adminCommand('INFO', 'server')).toContain(`process_id:${server.pid}\r\n`);
  });

  test('lists its clients without the control connection', async () => {
    const server = await start();
    expect(await server.clients()).toEqual([]);
    await dial(server.url, { connectionName: 'shop:lane', db: 3 });
    const [client, ...others] = await server.clients();
    expect(others).toEqual([]);
    expect(client).toMatchObject({ name: 'shop:lane', db: 3, flags: 'N', fields: { name: 'shop:lane' } });
    expect(client?.addr).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('listens on a unix socket when asked', async () => {
    const server = await start({ unixSocket: true });
    const redis = await dial(server.socketPath ?? 'no path');
    expect(await redis.ping()).toBe('PONG');
    expect((await start()).socketPath).toBeUndefined();
  });

  test('wants its password, and has it in its url', async () => {
    const server = await start({ password: 'p@ss/ word' });
    expect(await (await dial(server.url)).ping()).toBe('PONG');
    const stranger = await RawClient.open(server.port);
    cleanUps.push(() => stranger.close());
    await stranger.ask('GET key', '-NOAUTH Authentication required.\r\n');
  });

  test('lets the arguments of the caller win', async () => {
    const server = await start({ args: ['--appendonly', 'yes', '--maxclients', '7'] });
    expect(await server.adminCommand('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await server.adminCommand('CONFIG', 'GET', 'maxclients')).toEqual(['maxclients', '7']);
  });

  test('passes an error reply of a control command on and stays usable', async () => {
    const server = await start();
    await expect(server.adminCommand('NONSENSE')).rejects.toThrow('unknown command');
    expect(await server.adminCommand('PING')).toBe('PONG');
  });
});

describe('a server that cannot start', () => {
  test('says why with its last output', async () => {
    await expect(startRedis({ args: ['--nonsense', '1'] })).rejects.toThrow(
      /did not start[\s\S]*Bad directive or wrong number of arguments/,
    );
  });

  test('says that the port it was given is in use', async () => {
    const server = await start();
    await expect(startRedis({ port: server.port })).rejects.toThrow(/did not start[\s\S]*already in use/);
    expect(await server.adminCommand('PING')).toBe('PONG');
  });
});

describe('kill, freeze, restart', () => {
  test('kill ends the process and the connections at once', async () => {
    const server = await start();
    const redis = await dial(server.url);
    const ended = new Promise((resolve) => redis.once('end', resolve));
    await server.kill();
    await ended;
    expect(isAlive(server.pid)).toBe(false);
    expect(server.status).toBe('exited');
    await expect(server.adminCommand('PING')).rejects.toThrow();
    await expect(server.waitUntilReady()).rejects.toThrow('has exited');
    await server.kill();
  });

  test('a frozen server answers when it is thawed, and a control command gives up after 2 s', async () => {
    const server = await start();
    const redis = await dial(server.url);
    server.freeze();
    expect(server.status).toBe('frozen');
    let replies = 0;
    const reply = redis.incr('counter').finally(() => replies++);
    await expect(server.adminCommand('PING')).rejects.toThrow('PING took longer than 2000 ms');
    expect(replies).toBe(0);
    server.thaw();
    expect(server.status).toBe('running');
    await server.waitUntilReady();
    expect(await reply).toBe(1);
    expect(await server.clients()).toHaveLength(1);
  });

  test('a restart keeps port, arguments and data directory', async () => {
    const server = await start({ args: ['--appendonly', 'yes'] });
    const { pid, port } = server;
    await server.adminCommand('SET', 'key', 'value');
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(isAlive(pid)).toBe(false);
    expect(await server.adminCommand('GET', 'key')).toBe('value');
  });

  test.each(['killed', 'frozen'] as const)('a %s server can be restarted', async (state) => {
    const server = await start();
    if (state === 'killed') await server.kill();
    else server.freeze();
    await server.restart();
    expect(server.status).toBe('running');
    expect(await server.adminCommand('PING')).toBe('PONG');
  });

  test('a server that crashed by itself is seen as exited', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGKILL');
    await waitUntil(() => server.status === 'exited', { what: 'the crash is noticed' });
    await server.restart();
    expect(await server.adminCommand('PING')).toBe('PONG');
  });
});

describe('stop', () => {
  test.each(['running', 'killed', 'frozen'] as const)(
    'ends a %s server and removes its data',
    async (state) => {
      const server = await start({ unixSocket: true });
      const directory = dirname(server.socketPath ?? '');
      const { pid } = server;
      if (state === 'killed') await server.kill();
      if (state === 'frozen') server.freeze();
      await Promise.all([server.stop(), server.stop()]);
      expect(isAlive(pid)).toBe(false);
      expect(existsSync(directory)).toBe(false);
      expect(server.status).toBe('stopped');
      await server.stop();
    },
  );

  test('is final', async () => {
    const server = await start();
    await server.stop();
    await expect(server.restart()).rejects.toThrow('has been stopped');
    await expect(server.waitUntilReady()).rejects.toThrow('has been stopped');
  });
});

test('free ports are outside the range of outgoing connections', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  expect(Math.max(...ports)).toBeLessThan(32_768);
  expect(Math.min(...ports)).toBeGreaterThan(1_023);
});
