import { execFile } from 'node:child_process';
import { tracingChannel } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { errorOf, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));

/** One of everything, with the names of the commands that go over the wire and what has to come back. */
async function useEverything(pool: RedisPool): Promise<string[]> {
  expect(await pool.set('string', 'text')).toBe('OK');
  expect(await Promise.all([pool.get('string'), pool.getBuffer('string')])).toEqual([
    'text',
    Buffer.from('text'),
  ]);
  const [count, text] = (await pool.pipeline().incr('count').get('string').exec()) ?? [];
  expect([count, text]).toEqual([
    [null, 1],
    [null, 'text'],
  ]);
  expect(await pool.multi().incr('count').exec()).toEqual([[null, 2]]);
  const error = await errorOf(pool.incr('string'));
  expect(error.message).toMatch(/not an integer/);
  const failing = await pool.pipeline().incr('string').get('string').exec();
  expect(failing?.map(([failure, value]) => [failure?.message.slice(0, 3), value])).toEqual([
    ['ERR', undefined],
    [undefined, 'text'],
  ]);
  const toldByCallback = await new Promise((resolve) => {
    void pool.hset('hash', { field: 'value' }, (failure, value) => resolve([failure, value]));
  });
  expect(toldByCallback).toEqual([null, 1]);
  expect(await pool.hgetall('hash')).toEqual({ field: 'value' });
  return [
    ...[
      'set',
      'get',
      'get',
      'incr',
      'get',
      'multi',
      'incr',
      'exec',
      'incr',
      'incr',
      'get',
      'hset',
      'hgetall',
    ],
  ];
}

interface Traced {
  readonly started: string[];
  readonly ended: string[];
  readonly failed: string[];
  stop(): void;
}

/** Subscribes to ioredis's channel for commands. */
function trace(): Traced {
  const channel = tracingChannel<string, { command: string }>('ioredis:command');
  const traced = { started: [] as string[], ended: [] as string[], failed: [] as string[] };
  const note = (list: string[]) => (context: unknown) => {
    list.push((context as { command: string }).command.toLowerCase());
  };
  const subscribers = {
    start: note(traced.started),
    end: () => {},
    asyncStart: () => {},
    asyncEnd: note(traced.ended),
    error: note(traced.failed),
  };
  channel.subscribe(subscribers);
  return { ...traced, stop: () => channel.unsubscribe(subscribers) };
}

/** Puts a wrapper around `Redis.prototype.sendCommand`, as shimmer does, for the length of `use`. */
async function withWrapped(
  wrap: (original: Redis['sendCommand']) => Redis['sendCommand'],
  use: () => Promise<void>,
): Promise<void> {
  const original = Redis.prototype.sendCommand;
  Redis.prototype.sendCommand = wrap(original);
  try {
    await use();
  } finally {
    Redis.prototype.sendCommand = original;
  }
}

interface AnyCommand {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly promise: Promise<unknown>;
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
}

/** How the products in use wrap `sendCommand()`; each notes the begin and the end of a command. */
const WRAPPERS: Record<
  string,
  (begun: string[], ended: string[]) => (original: Redis['sendCommand']) => Redis['sendCommand']
> = {
  // Datadog, Instana: they listen to the promise of the command.
  'by the promise of the command': (begun, ended) => (original) =>
    function (this: Redis, command, stream) {
      const { name, promise } = command as unknown as AnyCommand;
      begun.push(name);
      const end = () => void ended.push(name);
      promise.then(end, end);
      return original.call(this, command, stream);
    },
  // OpenTelemetry, Sentry: they replace resolve and reject, and call the old ones without the command.
  'by resolve and reject of the command': (begun, ended) => (original) =>
    function (this: Redis, ...args) {
      const command = args[0] as unknown as AnyCommand;
      begun.push(command.name);
      const result = original.apply(this, args);
      const { resolve, reject } = command;
      command.resolve = (reply) => {
        ended.push(command.name);
        resolve(reply);
      };
      command.reject = (error) => {
        ended.push(command.name);
        reject(error);
      };
      return result;
    },
  // A wrapper that returns another promise, which rejects too.
  'by a promise of its own': (begun, ended) => (original) =>
    function (this: Redis, command, stream) {
      const { name } = command as unknown as AnyCommand;
      begun.push(name);
      const returned = original.call(this, command, stream) as Promise<unknown>;
      return returned.finally(() => ended.push(name));
    },
};

describe.each(LINKS)('instrumentation over the %s link', (link) => {
  useLink(link);

  test.each(['before', 'after'])(
    'a subscriber of ioredis:command that came %s the connection sees each command',
    async (when) => {
      const pool = openPool({ url: server.url });
      if (when === 'after') await pool.ready();
      const traced = trace();
      try {
        await pool.ready();
        const handshake = traced.started.length;
        const expected = await useEverything(pool);
        expect(traced.started.slice(handshake)).toEqual(expected);
        await waitUntil(() => traced.ended.length === traced.started.length, {
          what: 'each command has ended',
        });
        expect(traced.failed.filter((name) => name === 'incr')).toHaveLength(2);
      } finally {
        traced.stop();
      }
      const seen = traced.started.length;
      await useEverythingAgain(pool);
      expect(traced.started).toHaveLength(seen);
      expect(pool.stats().lanes[0]).toMatchObject({ link, connections: 1 });
    },
  );

  test('subscribers may come and go while commands are in flight', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const calls: Promise<unknown>[] = [];
    for (let round = 0; round < 50; round += 1) {
      const traced = round % 2 === 0 ? trace() : undefined;
      for (let count = 0; count < 20; count += 1) calls.push(pool.incr('count'));
      traced?.stop();
      if (round % 5 === 0) await nextTurn();
    }
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  });

  test.each(Object.keys(WRAPPERS))(
    'sendCommand() wrapped before the pool connects, %s, sees each command',
    async (name) => {
      const begun: string[] = [];
      const ended: string[] = [];
      await withWrapped(WRAPPERS[name]?.(begun, ended) as never, async () => {
        const pool = openPool({ url: server.url });
        await pool.ready();
        const handshake = begun.length;
        const expected = await useEverything(pool);
        expect(begun.slice(handshake)).toEqual(expected);
        await waitUntil(() => ended.length === begun.length, { what: 'each command has ended' });
        expect(pool.stats().lanes[0]?.link).toBe('public');
      });
    },
  );

  test.each(Object.keys(WRAPPERS))(
    'sendCommand() wrapped after the pool connected, %s, sees each command',
    async (name) => {
      const pool = openPool({ url: server.url });
      await pool.ready();
      const begun: string[] = [];
      const ended: string[] = [];
      await withWrapped(WRAPPERS[name]?.(begun, ended) as never, async () => {
        const expected = await useEverything(pool);
        expect(begun).toEqual(expected);
        await waitUntil(() => ended.length === begun.length, { what: 'each command has ended' });
      });
      await useEverythingAgain(pool);
      expect(begun).toEqual(ended);
      expect(pool.stats().lanes[0]).toMatchObject({ link, connections: 1 });
    },
  );

  test('a wrapped command that is lost or late ends for its wrapper, too', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 60, retryReads: 0 });
    await pool.ready();
    const begun: string[] = [];
    const ended: string[] = [];
    await withWrapped(WRAPPERS['by the promise of the command']?.(begun, ended) as never, async () => {
      server.freeze();
      const late = [pool.get('a'), pool.pipeline().get('b').exec()].map(outcomeOf);
      await Promise.all(late);
      server.thaw();
      await waitUntil(() => ended.length === 2, { what: 'both have ended' });
      pool.destroy();
    });
  });

  test('a wrapper that sends in another order is found out: the connection ends, and nobody gets a wrong reply', async () => {
    const pool = openPool({ url: server.url, reconnect: { minDelayMs: 1, maxDelayMs: 5 } });
    await pool.ready();
    const wrap = (original: Redis['sendCommand']): Redis['sendCommand'] =>
      function (this: Redis, command, stream) {
        const { name, args, promise } = command as unknown as AnyCommand;
        if (name !== 'echo' || args[0] !== 'held back') return original.call(this, command, stream);
        setImmediate(() => original.call(this, command, stream));
        return promise;
      };
    await withWrapped(wrap, async () => {
      const texts = ['held back', 'first', 'second'];
      const outcomes = await Promise.all(texts.map((text) => outcomeOf(pool.echo(text))));
      for (const [index, { value, error }] of outcomes.entries()) {
        if (error === undefined) expect(value).toBe(texts[index]);
        else expect(error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST' });
      }
      expect(pool.stats().lostConnections).toBe(1);
    });
    expect(await pool.echo('afterwards')).toBe('afterwards');
  });

  test('a wrapper that throws fails its own command and no other', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const bug = new Error('a bug in the wrapper');
    const wrap = (original: Redis['sendCommand']): Redis['sendCommand'] =>
      function (this: Redis, command, stream) {
        if ((command as unknown as AnyCommand).name === 'append') throw bug;
        return original.call(this, command, stream);
      };
    await withWrapped(wrap, async () => {
      expect(await errorOf(pool.append('key', 'x'))).toBe(bug);
      expect(await pool.set('key', 'value')).toBe('OK');
    });
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
    expect(await pool.get('key')).toBe('value');
  });
});

async function useEverythingAgain(pool: RedisPool): Promise<void> {
  await pool.flushall();
  await useEverything(pool);
}

describe('a process', () => {
  const run = async (body: string) => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', body, server.url],
      { timeout: 10_000, cwd: fileURLToPath(new URL('../..', import.meta.url)) },
    );
    return { stdout, stderr };
  };
  const entry = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);

  test('whose ioredis was wrapped before this package was loaded has each command seen', async () => {
    const { stdout } = await run(`
      import { Redis } from 'ioredis';
      const seen = [];
      const { sendCommand } = Redis.prototype;
      Redis.prototype.sendCommand = function (command, stream) {
        seen.push(command.name);
        return sendCommand.call(this, command, stream);
      };
      const { createRedisPool } = await import(${entry});
      const pool = createRedisPool(process.argv[1]);
      await pool.set('key', 'value');
      await Promise.all([pool.get('key'), pool.pipeline().get('key').exec()]);
      await pool.close();
      console.log(seen.filter((name) => ['set', 'get'].includes(name)).join());`);
    expect(stdout).toBe('set,get,get\n');
  });

  test('hears nothing of ioredis on its console, whatever goes wrong', async () => {
    const { stdout, stderr } = await run(`
      const { createRedisPool } = await import(${entry});
      const options = { commandTimeoutMs: 150, connectTimeoutMs: 100, reconnect: { minDelayMs: 5, maxDelayMs: 20 } };
      const refused = createRedisPool({ ...options, name: 'refused', url: 'redis://127.0.0.1:1' });
      const unknown = createRedisPool({ ...options, name: 'unknown', url: 'redis://no-such-host.invalid:1' });
      const badPassword = createRedisPool({ ...options, name: 'password', url: process.argv[1].replace('//', '//nobody:wrong@') });
      const badDatabase = createRedisPool({ ...options, name: 'database', url: process.argv[1] + '/99' });
      const lost = createRedisPool({ ...options, name: 'lost', url: process.argv[1] });
      await lost.set('key', 'value');
      await lost.client('KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {});
      const pools = [refused, unknown, badPassword, badDatabase, lost];
      const results = await Promise.allSettled(pools.map((pool) => pool.get('key')));
      await Promise.all(pools.map((pool) => pool.close()));
      console.log(results.map(({ status }) => status).join());`);
    expect(stderr).toBe('');
    expect(stdout).toBe('rejected,rejected,rejected,rejected,fulfilled\n');
  });
});
