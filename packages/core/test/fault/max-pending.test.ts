import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, errorOf, expectIdle, isIdle, LINKS, outcomeOf, useLink, usePools } from './pool-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

const REFUSED = { code: 'RP_ERR_QUEUE_FULL', maybeExecuted: false, retryable: true, statusCode: 503 };

/** Bytes in use after a garbage collection: heap and Buffers. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe.each(LINKS)('maxPending over the %s link', (link) => {
  useLink(link);

  test('one command more than allowed is refused at once, and accepted again when there is room', async () => {
    const pool = openPool({ url: server.url, maxPending: { commands: 1_000 } });
    await pool.ready();
    server.freeze();
    const accepted = Array.from({ length: 1_000 }, (_, index) => outcomeOf(pool.incr(`key:${index}`)));
    expect(pool.stats().pending.commands).toBe(1_000);
    const startedAt = performance.now();
    const error = await errorOf(pool.incr('refused'));
    expect(performance.now() - startedAt).toBeLessThan(20);
    expect(error).toMatchObject(REFUSED);
    expect(error.message).toContain('maxPending');
    expect(pool.stats().pending.commands).toBe(1_000);
    server.thaw();
    for (const { value } of await Promise.all(accepted)) expect(value).toBe(1);
    expectIdle(pool);
    expect(await pool.get('refused')).toBeNull();
    expect(pool.stats().errors).toEqual({ RP_ERR_QUEUE_FULL: 1 });
  });

  test('the bound in bytes counts keys and values, and lets one single larger command pass', async () => {
    const bytes = 1_000_000;
    const pool = openPool({ url: server.url, maxPending: { bytes } });
    await pool.ready();
    expect(await pool.set('larger', 'x'.repeat(bytes + 1))).toBe('OK');
    server.freeze();
    const accepted: Promise<unknown>[] = [];
    const value = 'x'.repeat(10_000);
    let refused: Error | undefined;
    while (refused === undefined && accepted.length < 200) {
      const outcome = outcomeOf(pool.set(`key:${accepted.length}`, value));
      const early = await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve, undefined))]);
      if (early === undefined) accepted.push(outcome);
      else refused = (early as { error: Error }).error;
    }
    expect(refused).toMatchObject(REFUSED);
    // Every command counts for little more than its key and value.
    expect(accepted.length).toBeGreaterThan(85);
    expect(accepted.length).toBeLessThanOrEqual(bytes / value.length);
    expect(pool.stats().pending.bytes).toBeLessThanOrEqual(bytes);
    server.thaw();
    await Promise.all(accepted);
    expectIdle(pool);
    expect(await pool.set('again', value)).toBe('OK');
  });

  test('Buffers count as much as strings', async () => {
    const pool = openPool({ url: server.url, maxPending: { bytes: 100_000 } });
    await pool.ready();
    server.freeze();
    const first = outcomeOf(pool.set('key', Buffer.alloc(60_000)));
    expect(pool.stats().pending.bytes).toBeGreaterThanOrEqual(60_000);
    expect(await errorOf(pool.set('key', Buffer.alloc(60_000)))).toMatchObject(REFUSED);
    server.thaw();
    expect(await first).toMatchObject({ value: 'OK' });
  });

  test('a chain is accepted whole or refused whole', async () => {
    const pool = openPool({ url: server.url, maxPending: { commands: 100 } });
    await pool.ready();
    server.freeze();
    const chain = (key: string, length: number) => {
      const pipeline = pool.pipeline();
      for (let count = 0; count < length; count += 1) pipeline.incr(key);
      return pipeline;
    };
    const accepted = outcomeOf(chain('accepted', 60).exec());
    expect(await errorOf(chain('refused', 60).exec())).toMatchObject(REFUSED);
    expect(await errorOf(chain('refused', 41).execOrThrow())).toMatchObject(REFUSED);
    // MULTI and EXEC count too.
    const multi = pool.multi();
    for (let count = 0; count < 39; count += 1) multi.incr('refused');
    expect(await errorOf(multi.exec())).toMatchObject(REFUSED);
    expect(pool.stats().pending.commands).toBe(60);
    const rest = outcomeOf(chain('accepted', 40).exec());
    server.thaw();
    await Promise.all([accepted, rest]);
    expect(await pool.mget('accepted', 'refused')).toEqual(['100', null]);
    expectIdle(pool);
  });

  test('commands that timed out at a frozen server go on counting until they leave the connection', async () => {
    const pool = openPool({ url: proxy.url, maxPending: { commands: 100 }, commandTimeoutMs: 50 });
    await pool.ready();
    for (const heal of ['thaw', 'reset'] as const) {
      server.freeze();
      const calls = Array.from({ length: 100 }, () => outcomeOf(pool.incr('key')));
      for (const { error } of await Promise.all(calls)) expect(codeOf(error)).toBe('RP_ERR_COMMAND_TIMEOUT');
      // They may still lie in buffers of ours: memory stays bounded because they count.
      expect(await errorOf(pool.incr('key'))).toMatchObject(REFUSED);
      if (heal === 'reset') proxy.reset();
      server.thaw();
      await waitUntil(() => isIdle(pool), { what: `the counters are back at 0 after ${heal}` });
      await waitUntil(() => pool.status === 'ready', { what: 'the pool is ready' });
      expect(await pool.ping()).toBe('PONG');
    }
  });

  test('memory stays bounded however many calls come to a frozen server', async () => {
    const pool = openPool({ url: server.url, maxPending: { bytes: 4_000_000 }, commandTimeoutMs: 20_000 });
    await pool.ready();
    server.freeze();
    const before = memoryInUse();
    let refused = 0;
    let fulfilled = 0;
    const settled: Promise<unknown>[] = [];
    for (let count = 0; count < 50_000; count += 1) {
      // A value of its own for each, so that nothing is shared.
      const call = pool.set(`key:${count}`, `${count}`.padEnd(1_000, '.'));
      const settling = call.then(
        () => {
          fulfilled += 1;
        },
        (error: unknown) => {
          if (codeOf(error) === 'RP_ERR_QUEUE_FULL') refused += 1;
        },
      );
      if (count < 4_000) settled.push(settling);
    }
    await waitUntil(() => refused > 45_000, { what: 'most calls are refused' });
    const grown = memoryInUse() - before;
    // What is accepted is held as arguments and as encoded text; 50,000 calls of 1 KB would be 50 MB and more.
    expect(grown).toBeLessThan(16_000_000);
    server.thaw();
    await Promise.all(settled);
    expect(fulfilled + refused).toBe(50_000);
    expect(fulfilled).toBeGreaterThan(1_800);
    expectIdle(pool);
    expect(await pool.dbsize()).toBe(fulfilled);
  });

  test('a small command counts with what it takes of the heap, together with the function that awaits it', async () => {
    proxy.refuse();
    const count = 20_000;
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 20_000 });
    const call = async (index: number): Promise<void> => {
      try {
        await pool.get(`key:${index}`);
      } catch {}
    };
    const before = memoryInUse();
    const calls = Array.from({ length: count }, (_, index) => call(index));
    const grown = memoryInUse() - before;
    const { bytes, commands } = pool.stats().pending;
    expect(commands).toBe(count);
    expect(grown).toBeLessThan(bytes * 1.2);
    expect(grown).toBeGreaterThan(bytes * 0.8);
    pool.destroy();
    await Promise.all(calls);
  });

  test('an outage fills the same bound, and its end empties it', async () => {
    proxy.refuse();
    const pool = openPool({
      url: proxy.url,
      maxPending: { commands: 50 },
      commandTimeoutMs: 100,
      reconnect: { minDelayMs: 5, maxDelayMs: 20 },
    });
    const waiting = Array.from({ length: 50 }, () => outcomeOf(pool.incr('key')));
    expect(pool.stats().waitingForConnection).toBe(50);
    expect(await errorOf(pool.incr('key'))).toMatchObject(REFUSED);
    for (const { error } of await Promise.all(waiting)) expect(codeOf(error)).toBe('RP_ERR_UNAVAILABLE');
    expectIdle(pool);
    await proxy.heal();
    expect(await pool.incr('key')).toBe(1);
  });

  test('a peer that stalls holds back 20 MB of writes, and all are answered right after it goes on', async () => {
    const count = 20_000;
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 15_000 });
    await pool.ready();
    proxy.stallAfter(0, 'toServer');
    const value = (index: number) => `${index}:`.padEnd(1_000, '.');
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < count; index += 1) {
      calls.push(pool.set(`key:${index}`, value(index)));
      // As they come in a server: over many turns of the event loop.
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const stats = pool.stats();
    expect(stats.pending.commands).toBe(count);
    // Most of it waits in the pool, not in the socket, or it could not be told what was sent.
    expect(stats.lanes[0]?.unsentBytes).toBeGreaterThan(count * 500);
    await proxy.heal();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['OK']));
    expectIdle(pool);
    expect(await pool.dbsize()).toBe(count);
    const sample = [0, 1, 777, 13_000, count - 1];
    expect(await pool.mget(sample.map((index) => `key:${index}`))).toEqual(sample.map(value));
    expect(pool.stats().lanes[0]?.connections).toBe(1);
  });

  test('a command that cannot be written fails by itself and leaves no trace', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    // Two strings that are allowed, and no string can hold both.
    const half = 'x'.repeat(300_000_000);
    const error = (await outcomeOf(Promise.resolve().then(() => pool.mset('a', half, 'b', half)))).error;
    if (error !== undefined) expect(error).toBeInstanceOf(Error);
    expectIdle(pool);
    expect(await pool.set('key', 'value')).toBe('OK');
  });
});
