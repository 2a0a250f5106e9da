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
import { createRedisPool, type RedisPool } from '../../src/index.js';
import { codeOf, deferred, errorOf, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';

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

/** What keeps this process alive that a pool could have made: how many of each kind. */
function handles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) {
    if (/^(TCPSocketWrap|TCPConnectWrap|GetAddrInfo|Timeout)/.test(type))
      counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}

function expectNoMoreHandlesThan(before: Map<string, number>): void {
  for (const [type, count] of handles())
    expect(`${type}: ${Math.max(0, count - (before.get(type) ?? 0))} more`).toBe(`${type}: 0 more`);
}

/** Closes, and holds that against the time limit; a plain timer for the same moment takes the noise out. */
async function closeInTime(pool: RedisPool, timeoutMs: number) {
  let limitAt = Number.POSITIVE_INFINITY;
  const control = setTimeout(() => {
    limitAt = performance.now();
  }, timeoutMs);
  const { value, error, settledAt } = await outcomeOf(pool.close({ timeoutMs }));
  clearTimeout(control);
  expect(error).toBeUndefined();
  expect(settledAt - limitAt).toBeLessThan(GRACE_MS);
  return value as { durationMs: number; drained: boolean; cutCommands: number };
}

/** Law 10, for what can be asked from inside. */
async function expectClosed(pool: RedisPool): Promise<void> {
  expect(pool.status).toBe('closed');
  expect(pool.stats().lanes.every(({ up }) => !up)).toBe(true);
  expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
  const closed = { code: 'RP_ERR_CLOSED', maybeExecuted: false };
  expect(await errorOf(pool.get('key'))).toMatchObject(closed);
  expect(await errorOf(pool.scope().set('key', 'x'))).toMatchObject(closed);
  expect(await errorOf(pool.pipeline().get('key').exec())).toMatchObject(closed);
  expect(await errorOf(pool.multi().get('key').exec())).toMatchObject(closed);
  expect(await errorOf(pool.call('no.such.command'))).toMatchObject(closed);
  expect(await errorOf(pool.ready())).toMatchObject(closed);
  expect(await server.adminCommand('EXISTS', 'key')).toBe(0);
}

describe.each(LINKS)('close() over the %s link', (link) => {
  useLink(link);

  test('of a pool that was never used opens nothing', async () => {
    const pool = openPool({ url: server.url });
    expect(await closeInTime(pool, 1_000)).toMatchObject({ drained: true, cutCommands: 0 });
    expect(pool.stats().connectAttempts).toBe(0);
    await expectClosed(pool);
  });

  test('of a ready pool ends the connection in order, and leaves no handle a moment later', async () => {
    const before = handles();
    const pool = openPool({ url: server.url });
    await pool.ready();
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const report = await closeInTime(pool, 2_000);
    expectNoMoreHandlesThan(before);
    expect(report).toMatchObject({ drained: true, cutCommands: 0 });
    expect(report.durationMs).toBeLessThan(500);
    expect(String(await server.adminCommand('INFO', 'commandstats'))).toContain('cmdstat_quit:calls=1');
    await expectClosed(pool);
  });

  test('while connecting gives the attempt up at once', async () => {
    const before = handles();
    await proxy.acceptAndSilence();
    const pool = openPool({ url: proxy.url, connectTimeoutMs: 10_000 });
    const ready = outcomeOf(pool.ready({ timeoutMs: 9_000 }));
    await waitUntil(() => proxy.acceptedCount === 1, { what: 'it connects' });
    const startedAt = performance.now();
    expect(await closeInTime(pool, 1_000)).toMatchObject({ drained: true });
    expect(performance.now() - startedAt).toBeLessThan(200);
    expect((await ready).error).toMatchObject({ code: 'RP_ERR_CLOSED' });
    // The proxy, in this process, has its own end of the connection.
    await proxy.close();
    await waitUntil(() => proxy.connectionCount === 0, { what: 'the proxy has noticed' });
    expectNoMoreHandlesThan(before);
    await expectClosed(pool);
  });

  test('while a name is looked up, credentials are asked for or a hook runs gives up, too', async () => {
    const never = () => new Promise<never>(() => {});
    for (const options of [{ credentials: never }, { hooks: { connect: never } }]) {
      const pool = openPool({ url: server.url, connectTimeoutMs: 10_000, ...options });
      const waiting = outcomeOf(pool.set('key', 'x'));
      await waitUntil(() => pool.stats().connectAttempts === 1, { what: 'it connects' });
      expect(await closeInTime(pool, 200)).toMatchObject({ drained: false, cutCommands: 1 });
      expect((await waiting).error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
      await expectClosed(pool);
    }
  });

  test('at every moment of connecting leaves no connection behind', async () => {
    for (let round = 0; round < 60; round += 1) {
      const pool = createRedisPool({ name: `moment-${round}`, url: server.url });
      const ready = outcomeOf(pool.ready());
      for (let turn = 0; turn < round % 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (round % 3 === 0) pool.destroy();
      await pool.close();
      await ready;
      expect(pool.stats().lanes[0]?.up).toBe(false);
    }
    await waitUntil(async () => (await server.clients()).length === 0, {
      what: 'the server has no connection left',
    });
  });

  test('between the last step of connecting and the first of being connected leaves no connection behind', async () => {
    for (let steps = 0; steps < 40; steps += 1) {
      const pool: RedisPool = openPool({
        url: server.url,
        hooks: {
          connect: () => {
            // So many microtasks later: each of them is one step of the code that waits for this hook.
            let later = Promise.resolve();
            for (let step = 0; step < steps; step += 1) later = later.then(() => {});
            void later.then(() => pool.destroy());
          },
        },
      });
      await outcomeOf(pool.ready());
      await pool.close();
      expect(pool.stats().lanes[0]?.up).toBe(false);
    }
    await waitUntil(async () => (await server.clients()).length === 0, {
      what: 'the server has no connection left',
    });
  });

  test('lets everything finish that is in flight', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.delay({ ms: 60, direction: 'toClient' });
    const calls = [
      ...Array.from({ length: 500 }, (_, index) => pool.incr(`count:${index}`)),
      pool.multi().incr('multi').exec(),
      pool.pipeline().incr('pipeline').exec(),
    ].map(outcomeOf);
    expect(await closeInTime(pool, 2_000)).toMatchObject({ drained: true, cutCommands: 0 });
    expect((await Promise.all(calls)).filter(({ error }) => error !== undefined)).toEqual([]);
    await expectClosed(pool);
  });

  test('during an outage cuts what waits, at its limit', async () => {
    proxy.refuse();
    const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
    const waiting = Array.from({ length: 100 }, (_, index) => outcomeOf(pool.set(`key:${index}`, 'x')));
    expect(await closeInTime(pool, 150)).toMatchObject({
      drained: false,
      cutCommands: 100,
      cut: { commands: { SET: 100 }, leases: [] },
    });
    for (const { error } of await Promise.all(waiting)) {
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
    }
    await proxy.heal();
    await expectClosed(pool);
    expect(await server.adminCommand('DBSIZE')).toBe(0);
  });

  test('during an outage that ends in time lets what waits run', async () => {
    proxy.refuse();
    const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
    const waiting = Array.from({ length: 100 }, (_, index) => outcomeOf(pool.set(`late:${index}`, 'x')));
    const closing = pool.close({ timeoutMs: 3_000 });
    await proxy.heal();
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0 });
    expect((await Promise.all(waiting)).every(({ value }) => value === 'OK')).toBe(true);
    await expectClosed(pool);
  });

  test.each([50, 150, 600])(
    'of a pool with a frozen server ends within %i ms, every caller told by then',
    async (timeoutMs) => {
      const before = handles();
      const pool = openPool({ url: server.url });
      await pool.ready();
      server.freeze();
      const settled: unknown[] = [];
      const calls = [
        pool.set('key', 'x'),
        pool.pipeline().get('other').exec(),
        ...Array.from({ length: 100 }, () => pool.get('other')),
      ].map((call) =>
        outcomeOf(call).then((outcome) => {
          settled.push(outcome.error);
        }),
      );
      const report = await closeInTime(pool, timeoutMs);
      expect(report).toMatchObject({ drained: false, cutCommands: 102 });
      // Not a turn later: after close() no promise is pending and no socket open.
      expect(settled).toHaveLength(calls.length);
      for (const error of settled)
        expect(error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
      expectNoMoreHandlesThan(before);
      server.thaw();
      // It was on the wire already, as its error says.
      await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has noticed' });
      await server.adminCommand('DEL', 'key');
      await expectClosed(pool);
    },
  );

  test('of an idle pool with a frozen server waits for QUIT no longer than it may', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    server.freeze();
    const report = await closeInTime(pool, 500);
    expect(report).toMatchObject({ drained: true, cutCommands: 0 });
    server.thaw();
    await expectClosed(pool);
  });

  test('counts as cut only what a caller still waited for', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 50 });
    await pool.ready();
    server.freeze();
    const late = outcomeOf(pool.get('key'));
    expect(codeOf((await late).error)).toBe('RP_ERR_COMMAND_TIMEOUT');
    expect(await closeInTime(pool, 100)).toMatchObject({ drained: true, cutCommands: 0 });
  });

  test.each(['timed out', 'aborted by a signal', 'ended with their scope', 'cut by a hang-up'])(
    'does not wait for the replies to commands that %s',
    async (how) => {
      const pool = openPool({ url: server.url, commandTimeoutMs: how === 'timed out' ? 50 : 20_000 });
      await pool.ready();
      server.freeze();
      const controller = new AbortController();
      const scope = pool.scope({
        ...(how === 'aborted by a signal' ? { signal: controller.signal } : {}),
        ...(how === 'ended with their scope' ? { timeoutMs: 50 } : {}),
        ...(how === 'cut by a hang-up' ? { onHangUp: 'abort' as const } : {}),
      });
      const calls: Promise<unknown>[] = [scope.get('key'), scope.call('no.such.command')];
      // A hang-up leaves what may write and was sent to finish: somebody waits for it.
      if (how !== 'cut by a hang-up')
        calls.push(
          scope.multi().set('other', 'x').exec(),
          scope.pipeline().incr('n').exec(),
          scope.incr('n'),
        );
      const ended = calls.map(errorOf);
      controller.abort();
      if (how === 'cut by a hang-up') scope.end({ hungUp: true });
      await Promise.all(ended);
      expect(pool.stats().pending.commands).toBeGreaterThan(0);
      const report = await closeInTime(pool, 10_000);
      // No longer than QUIT may take.
      expect(report).toMatchObject({ drained: true, cutCommands: 0 });
      expect(report.durationMs).toBeLessThan(1_000);
      server.thaw();
      await expectClosed(pool);
    },
  );

  test('refuses at once what the server is still asked about', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    server.freeze();
    const asking = errorOf(pool.call('no.such.command'));
    const report = await closeInTime(pool, 10_000);
    expect(await asking).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false });
    expect(report).toMatchObject({ drained: true, cutCommands: 0 });
    expect(report.durationMs).toBeLessThan(1_000);
  });

  test('waits no longer when the last caller gives up, and as long as one is left', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    server.freeze();
    const controller = new AbortController();
    const aborted = errorOf(pool.scope({ signal: controller.signal }).get('key'));
    const late = outcomeOf(pool.scope({ timeoutMs: 300 }).get('key'));
    let isClosed = false;
    const closing = closeInTime(pool, 10_000).finally(() => {
      isClosed = true;
    });
    controller.abort();
    await aborted;
    expect(codeOf((await late).error)).toBe('RP_ERR_COMMAND_TIMEOUT');
    expect(isClosed).toBe(false);
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0 });
    expect((await closing).durationMs).toBeLessThan(2_000);
  });

  test('sends what was written for a caller that has given up, ahead of QUIT', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const controller = new AbortController();
    // The second one is gathered behind the first, and not on the wire yet.
    const calls = [
      outcomeOf(pool.get('other')),
      errorOf(pool.scope({ signal: controller.signal }).incr('n')),
    ];
    controller.abort();
    await pool.close();
    await Promise.all(calls);
    expect(await server.adminCommand('GET', 'n')).toBe('1');
  });

  test('waits for nobody when an outage has outlasted every caller', async () => {
    proxy.refuse();
    const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const calls = Array.from({ length: 10 }, () => errorOf(scope.set('key', 'x')));
    controller.abort();
    await Promise.all(calls);
    const report = await closeInTime(pool, 10_000);
    expect(report).toMatchObject({ drained: true, cutCommands: 0 });
    expect(report.durationMs).toBeLessThan(1_000);
    await expectClosed(pool);
  });

  test('called twice at once drains once, and both get the same report', async () => {
    const pool = openPool({ url: server.url });
    await pool.set('other', 'x');
    const [first, second] = await Promise.all([pool.close(), pool.close({ timeoutMs: 1 })]);
    expect(first).toBe(second);
    expect(await pool.close()).toBe(first);
    await expectClosed(pool);
  });

  test('of one of two handles waits for nobody', async () => {
    const first = openPool({ name: 'two', url: server.url });
    const second = joinPool('two');
    await first.ready();
    server.freeze();
    const running = outcomeOf(first.set('other', 'x'));
    expect(await closeInTime(first, 5_000)).toMatchObject({ durationMs: 0, drained: true, cutCommands: 0 });
    server.thaw();
    // What it had called is left to finish.
    expect(await running).toMatchObject({ value: 'OK' });
    expect(await second.get('other')).toBe('x');
    expect(await second.close()).toMatchObject({ drained: true });
    await expectClosed(second);
  });

  test('takes a timeoutMs from 0 on, and refuses what is none', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    for (const timeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      expect(() => pool.close({ timeoutMs })).toThrow(
        expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }),
      );
    }
    expect(pool.status).toBe('ready');
    server.freeze();
    const running = outcomeOf(pool.get('key'));
    expect(await closeInTime(pool, 0)).toMatchObject({ drained: false, cutCommands: 1 });
    expect(codeOf((await running).error)).toBe('RP_ERR_CLOSED');
  });

  test('calls the hooks drain and close in their moments, and neither by hanging nor by throwing do they hold it up', async () => {
    const order: string[] = [];
    const pool = openPool({
      url: server.url,
      hooks: {
        drain: ({ pool: name }) => void order.push(`drain ${name} ${pool.status}`),
        close: ({ pool: name }) => void order.push(`close ${name} ${pool.status}`),
      },
      name: 'hooked',
    });
    await pool.ready();
    await pool.close();
    expect(order).toEqual(['drain hooked draining', 'close hooked closed']);
    const never = () => new Promise<void>(() => {});
    const fail = () => {
      throw new Error('a bug in a hook');
    };
    for (const hooks of [
      { drain: never, close: never },
      { drain: fail, close: fail },
    ]) {
      const other = openPool({ url: server.url, hooks });
      await other.ready();
      server.freeze();
      expect(await closeInTime(other, 300)).toMatchObject({ cutCommands: 0 });
      server.thaw();
    }
  });
});

describe('destroy()', () => {
  test('cuts at once what runs and what waits, with the error that it was given', async () => {
    const reason = new Error('the process is going down');
    for (const state of ['in flight', 'waiting']) {
      const pool = openPool({ url: proxy.url });
      if (state === 'in flight') {
        await pool.ready();
        server.freeze();
      } else proxy.refuse();
      const calls = [
        pool.get('key'),
        pool.set('other', 'x'),
        pool.pipeline().get('key').exec(),
        pool.multi().get('key').exec(),
      ].map(outcomeOf);
      pool.destroy(reason);
      expect(pool.status).toBe('closed');
      for (const { error } of await Promise.all(calls)) expect(error).toBe(reason);
      expect(await pool.close()).toMatchObject({ drained: false });
      if (server.status === 'frozen') server.thaw();
    }
  });

  test('without an error rejects with RP_ERR_CLOSED', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    server.freeze();
    const running = outcomeOf(pool.get('key'));
    pool.destroy();
    expect((await running).error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
    server.thaw();
    await expectClosed(pool);
  });

  test('ends a close() that still drains, which then reports what was cut', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    server.freeze();
    const running = outcomeOf(pool.get('key'));
    const closing = pool.close({ timeoutMs: 5_000 });
    const startedAt = performance.now();
    pool.destroy();
    expect(await closing).toMatchObject({ drained: false, cutCommands: 1 });
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(codeOf((await running).error)).toBe('RP_ERR_CLOSED');
  });

  test('during a close() is told once in the log, with what was cut', async () => {
    const lines: unknown[] = [];
    const note = (fields: object): void => void ('cutCommands' in fields && lines.push(fields.cutCommands));
    const logger = { info: note, warn: note, error: note, debug: note };
    const pool = openPool({ url: server.url, logger });
    await pool.ready();
    server.freeze();
    const running = outcomeOf(pool.get('key'));
    const closing = pool.close({ timeoutMs: 5_000 });
    pool.destroy();
    pool.destroy();
    await Promise.all([closing, running]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lines).toEqual([1]);
  });

  test('may be called at any time and any number of times', async () => {
    const unused = openPool({ url: server.url });
    unused.destroy();
    unused.destroy();
    await expectClosed(unused);
    const closed = openPool({ url: server.url });
    await closed.set('other', 'x');
    await closed.close();
    closed.destroy();
    await expectClosed(closed);
  });

  test('in a listener of the pool or in the callback of a command does no harm', async () => {
    const pool = openPool({ url: server.url });
    const told = deferred();
    pool.on('ready', () => {
      pool.destroy();
      told.resolve();
    });
    const call = outcomeOf(pool.set('key', 'x'));
    await told.promise;
    expect(codeOf((await call).error)).toBe('RP_ERR_CLOSED');
    const other = openPool({ url: server.url });
    const calledBack = deferred();
    other
      .pipeline()
      .get('a', () => {
        other.destroy();
        calledBack.resolve();
      })
      .get('b')
      .exec()
      .catch(() => {});
    await calledBack.promise;
    await other.close();
  });
});

describe('a process', () => {
  const entry = new URL('../../dist/index.js', import.meta.url).href;
  const run = async (body: string) => {
    const script = `const { createRedisPool } = await import(${JSON.stringify(entry)});
      const pool = createRedisPool({ url: process.argv[1], connectTimeoutMs: 300, reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
      ${body}
      const closedAt = performance.now();
      process.on('exit', () => console.log('left after', Math.round(performance.now() - closedAt)));`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', script, proxy.url],
      { timeout: 10_000, cwd: fileURLToPath(new URL('../..', import.meta.url)) },
    );
    expect(stderr).toBe('');
    return Number(/left after (\d+)/.exec(stdout)?.[1]);
  };

  test('leaves as soon as its pool is closed', async () => {
    expect(await run(`await pool.set('other', 'x'); await pool.close();`)).toBeLessThan(200);
  });

  test('leaves as soon as its pool is closed in an outage, too', async () => {
    proxy.refuse();
    const body = `await pool.set('other', 'x').catch(() => {}); await pool.close();`;
    expect(await run(`setTimeout(() => pool.close({ timeoutMs: 50 }), 200); ${body}`)).toBeLessThan(200);
  });

  test('leaves as soon as its pool is destroyed while it connects', async () => {
    await proxy.acceptAndSilence();
    const body = `pool.ready().catch(() => {}); await new Promise((resolve) => setTimeout(resolve, 50)); pool.destroy();`;
    expect(await run(body)).toBeLessThan(200);
  });
});
