import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { controlTimer, errorOf, isIdle, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';

const GRACE_MS = 50;

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool, joinPool } = usePools();

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

describe.each(LINKS)('a scope over the %s link', (link) => {
  useLink(link);

  test('abort: rejects what runs and what comes with the reason; what was sent runs, and its reply reaches nobody', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.delay({ ms: 60, direction: 'toClient' });
    const controller = new AbortController();
    const reason = new Error('the client hung up');
    const scope = pool.scope({ signal: controller.signal });
    const running = [
      scope.incr('count'),
      scope.get('count'),
      scope.pipeline().incr('count').exec(),
      scope.multi().incr('count').exec(),
    ].map(outcomeOf);
    await waitUntil(async () => (await server.adminCommand('GET', 'count')) === '3', { what: 'all has run' });
    const abortedAt = performance.now();
    controller.abort(reason);
    for (const { error, settledAt } of await Promise.all(running)) {
      expect(error).toBe(reason);
      expect(settledAt - abortedAt).toBeLessThan(GRACE_MS);
    }
    expect(await errorOf(scope.get('count'))).toBe(reason);
    expect(await errorOf(scope.pipeline().get('count').exec())).toBe(reason);
    // The next caller gets its own reply, not one of those that are still on their way.
    expect(await pool.echo('own')).toBe('own');
    expect(await pool.get('count')).toBe('3');
    expect(isIdle(pool)).toBe(true);
  });

  test('abort: a scope whose signal was aborted before sends nothing', async () => {
    const pool = openPool({ url: server.url });
    const reason = new Error('too late');
    const scope = pool.scope({ signal: AbortSignal.abort(reason) });
    expect(await errorOf(scope.set('key', 'x'))).toBe(reason);
    const calledBack = await new Promise((resolve) => {
      scope.set('key', 'x', (error) => resolve(error)).catch(() => {});
    });
    expect(calledBack).toBe(reason);
    expect(pool.stats().connectAttempts).toBe(0);
  });

  test('timeout: ends at its own deadline, however many commands it has run until then', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const scope = pool.scope({ timeoutMs: 150 });
    const control = controlTimer(150);
    expect(await scope.set('key', 'value')).toBe('OK');
    server.freeze();
    const running = [
      scope.get('key'),
      scope.pipeline().get('key').exec(),
      scope.multi().get('key').exec(),
    ].map(outcomeOf);
    const outcomes = await Promise.all(running);
    const deadline = await control;
    for (const { error, settledAt } of outcomes) {
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
      expect(Math.abs(settledAt - deadline)).toBeLessThan(GRACE_MS);
    }
    expect(await errorOf(scope.get('key'))).toMatchObject({
      code: 'RP_ERR_COMMAND_TIMEOUT',
      maybeExecuted: false,
    });
    server.thaw();
    expect(await pool.get('key')).toBe('value');
  });

  test('timeout: the shorter one of scope and pool counts, and a long scope does not prolong a command', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 100 });
    await pool.ready();
    server.freeze();
    const long = pool.scope({ timeoutMs: 60_000 });
    const control = controlTimer(100);
    const { error, settledAt } = await outcomeOf(long.get('key'));
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
  });

  test.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('timeout: %d is refused', (timeoutMs) => {
    const pool = openPool({ url: server.url });
    expect(() => pool.scope({ timeoutMs })).toThrow(
      expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }),
    );
  });

  test('close: ends with the handle that made it, and what it had called finishes', async () => {
    const pool = openPool({ name: 'of-handle', url: proxy.url });
    const other = joinPool('of-handle');
    await pool.ready();
    proxy.delay({ ms: 30, direction: 'toClient' });
    const scope = pool.scope({ signal: new AbortController().signal, timeoutMs: 60_000 });
    const running = outcomeOf(scope.set('key', 'value'));
    await pool.close();
    expect(await errorOf(scope.get('key'))).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
    expect(await running).toMatchObject({ value: 'OK' });
    expect(await other.get('key')).toBe('value');
    await other.close();
  });

  test('an abort, a deadline and a reply in one moment settle a call once', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    let settled = 0;
    let refused = 0;
    let calledBack = 0;
    for (let round = 0; round < 300; round += 1) {
      const controller = new AbortController();
      const scope = pool.scope({ signal: controller.signal, timeoutMs: 1 });
      const call = scope.incr('count', () => {
        calledBack += 1;
      });
      const done = outcomeOf(call).then(({ error }) => {
        settled += 1;
        // A slow machine may take the whole millisecond before the call.
        if ((error as { maybeExecuted?: boolean } | undefined)?.maybeExecuted === false) refused += 1;
      });
      if (round % 3 === 0) setImmediate(() => controller.abort());
      else if (round % 3 === 1) setTimeout(() => controller.abort(), 1);
      await done;
    }
    expect(settled).toBe(300);
    expect(refused).toBeLessThan(100);
    await waitUntil(() => calledBack === 300, { what: 'all callbacks were called' });
    await waitUntil(() => isIdle(pool), { what: 'nothing is pending' });
    expect(Number(await pool.get('count'))).toBe(300 - refused);
  });
});

describe('scopes', () => {
  test('that were used leave nothing in memory: neither in the pool nor at their signal', async () => {
    // In a process of its own: the leak check around this test keeps the stacks of timers, and they what is on them.
    const entry = new URL('../../dist/index.js', import.meta.url).href;
    const script = `
      const { createRedisPool } = await import(${JSON.stringify(entry)});
      const scripts = { answer: { lua: 'return 42', numberOfKeys: 0 } };
      const pool = createRedisPool({ url: process.argv[1], scripts });
      const { signal } = new AbortController();
      const references = [];
      const use = async () => {
        const scope = pool.scope({ signal, timeoutMs: 60_000, label: 'GET /things' });
        references.push(new WeakRef(scope));
        await Promise.all([scope.get('key'), scope.answer(), scope.multi().get('key').exec()]);
      };
      for (let count = 0; count < 200; count += 1) await use();
      for (let turn = 0; turn < 5; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        gc();
      }
      console.log(references.filter((reference) => reference.deref() !== undefined).length);
      await pool.close();`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', script, server.url],
      { timeout: 10_000, cwd: fileURLToPath(new URL('../..', import.meta.url)) },
    );
    expect(stderr).toBe('');
    expect(Number(stdout)).toBeLessThanOrEqual(1);
  });

  test('cost nothing before their first command', async () => {
    const pool = openPool({ url: server.url });
    for (let count = 0; count < 1_000; count += 1)
      pool.scope({ timeoutMs: 60_000, signal: new AbortController().signal });
    expect(pool.stats()).toMatchObject({ connectAttempts: 0, commands: 0 });
  });
});
