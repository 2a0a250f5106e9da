import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  block,
  callsAt,
  codeOf,
  controlTimer,
  errorOf,
  expectIdle,
  isIdle,
  LINKS,
  measureStalls,
  outcomeOf,
  useLink,
  usePools,
} from './pool-harness.js';

/** Law 3: what a settling may take after its deadline. */
const GRACE_MS = 50;
const NOISE_MS = 75;

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis({ args: ['--enable-debug-command', 'yes'] });
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

describe.each(LINKS)('deadlines over the %s link', (link) => {
  useLink(link);

  test('ten thousand calls to a frozen server all settle by their deadline', async () => {
    const commandTimeoutMs = 300;
    const pool = openPool({ url: server.url, commandTimeoutMs });
    await pool.ready();
    expect(pool.stats().lanes[0]?.link).toBe(link);
    server.freeze();
    const calledAt = performance.now();
    const calls = Array.from({ length: 10_000 }, (_, index) => outcomeOf(pool.get(`key:${index}`)));
    const control = controlTimer(commandTimeoutMs);
    const outcomes = await Promise.all(calls);
    const deadline = await control;
    for (const { error, settledAt } of outcomes) {
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true, retryable: false });
      expect(settledAt).toBeGreaterThanOrEqual(calledAt + commandTimeoutMs);
    }
    // The control timer was armed after the last call, so it stands for the latest deadline of all. What comes on
    // top of the 50 ms of law 3 is noise of the machine: ten thousand errors alone take 50 ms of a slow processor.
    const last = Math.max(...outcomes.map(({ settledAt }) => settledAt));
    expect(last - deadline).toBeLessThan(GRACE_MS + NOISE_MS);
    server.thaw();
    await waitUntil(() => isIdle(pool), { what: 'the late replies have come and counters are at 0' });
    expectIdle(pool);
    expect(await pool.set('after', 'thaw')).toBe('OK');
  });

  test('calls that come one after the other settle each at its own deadline', async () => {
    const commandTimeoutMs = 150;
    const pool = openPool({ url: server.url, commandTimeoutMs });
    await pool.ready();
    server.freeze();
    const lateness: Promise<number>[] = [];
    const stalls = measureStalls();
    for (let count = 0; count < 100; count += 1) {
      const call = outcomeOf(pool.get('key'));
      const control = controlTimer(commandTimeoutMs);
      lateness.push(Promise.all([call, control]).then(([{ settledAt }, deadline]) => settledAt - deadline));
      await nextTurn();
      block(1);
    }
    const latest = Math.max(...(await Promise.all(lateness)));
    // Of a hundred pairs of timers some other process may come in between one.
    expect(latest).toBeLessThan(GRACE_MS + Math.min(stalls.stop(), NOISE_MS));
  });

  test('a late reply is swallowed and every later caller gets its own', async () => {
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 60 });
    await pool.ready();
    const keys = Array.from({ length: 50 }, (_, index) => `key:${index}`);
    await pool.mset(keys.flatMap((key) => [key, `value of ${key}`]));
    proxy.delay({ ms: 150, direction: 'toClient' });
    let calledBack = 0;
    const late = keys.map((key) =>
      outcomeOf(
        pool.get(key, () => {
          calledBack += 1;
        }),
      ),
    );
    for (const { error } of await Promise.all(late)) expect(codeOf(error)).toBe('RP_ERR_COMMAND_TIMEOUT');
    // The replies to the calls above are still on their way when these are sent.
    await proxy.heal();
    const others = [...keys].reverse();
    const replies = await Promise.all(others.map((key) => pool.get(key)));
    expect(replies).toEqual(others.map((key) => `value of ${key}`));
    expect(calledBack).toBe(keys.length);
    expectIdle(pool);
    expect(pool.stats().lanes[0]?.connections).toBe(1);
  });

  const phases: [name: string, inPhase: (run: () => void) => void][] = [
    ['a timer', (run) => setTimeout(run, 1)],
    ['an immediate', (run) => setImmediate(run)],
    ['a microtask', (run) => setImmediate(() => queueMicrotask(run))],
    ['an I/O callback', (run) => void import('node:fs').then(({ stat }) => stat('.', run))],
  ];
  test.each(phases)(
    'replies that lie in the socket while %s blocks the event loop are in time',
    async (_, inPhase) => {
      const pool = openPool({ url: server.url, commandTimeoutMs: 200 });
      await pool.ready();
      await pool.set('key', 'x'.repeat(500));
      server.freeze();
      const calls = Array.from({ length: 200 }, () => pool.get('key'));
      await waitUntil(() => pool.stats().lanes[0]?.unsentBytes === 0, { what: 'all commands are written' });
      // The server answers while nobody reads.
      inPhase(() => {
        server.thaw();
        block(300);
      });
      const replies = await Promise.all(calls);
      expect(replies.every((reply) => reply?.length === 500)).toBe(true);
    },
  );

  test('a reply of several megabytes that lies in the socket is in time after a blocked event loop', async () => {
    await server.adminCommand('SETRANGE', 'big', 3_000_000 - 1, 'x');
    const ask = async (): Promise<unknown> => {
      // A connection that has carried such a reply is given larger buffers by the kernel.
      const pool = openPool({ url: server.url, commandTimeoutMs: 200 });
      await pool.ready();
      server.freeze();
      // More than one turn of the event loop reads, less than the buffers of the kernel hold.
      const call = outcomeOf(pool.getBuffer('big'));
      await waitUntil(() => pool.stats().lanes[0]?.unsentBytes === 0, { what: 'the command is written' });
      server.thaw();
      block(300);
      const { value } = await call;
      await waitUntil(() => isIdle(pool), { what: 'the reply has come' });
      return (value as Buffer | undefined)?.length;
    };
    // On a busy machine the server may not get to write all of it meanwhile; then it is not in the socket.
    let length: unknown;
    for (let attempt = 0; attempt < 5 && length === undefined; attempt += 1) length = await ask();
    expect(length).toBe(3_000_000);
  });

  test('a read that is sent again has the deadline of its call, not a new one', async () => {
    const commandTimeoutMs = 300;
    const pool = openPool({ url: proxy.url, commandTimeoutMs, reconnect: { minDelayMs: 1, maxDelayMs: 5 } });
    await pool.ready();
    proxy.swallowReplies();
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const call = outcomeOf(pool.get('key'));
    const control = controlTimer(commandTimeoutMs);
    await waitUntil(async () => (await callsAt(server, 'get')) === 1, { what: 'the server ran GET' });
    await proxy.acceptAndSilence();
    proxy.reset();
    const { error, settledAt } = await call;
    // It was seen by the server once, over the connection that went.
    expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: true });
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    expectIdle(pool);
  });

  test('a command that the server has to be asked about has one deadline for both', async () => {
    const commandTimeoutMs = 200;
    const pool = openPool({ url: server.url, commandTimeoutMs });
    await pool.ready();
    server.freeze();
    const call = outcomeOf(pool.call('no.such', 'key'));
    const chain = outcomeOf(pool.pipeline().call('no.such.either', 'key').exec());
    const control = controlTimer(commandTimeoutMs);
    const [alone, chained] = await Promise.all([call, chain]);
    const deadline = await control;
    // Neither was sent: the question whether it may go was not answered.
    expect(alone.error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
    expect(chained.error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
    expect(alone.settledAt - deadline).toBeLessThan(GRACE_MS);
    expect(chained.settledAt - deadline).toBeLessThan(GRACE_MS);
  });

  test('an unknown command whose question took its time does not outlive its own deadline', async () => {
    const commandTimeoutMs = 300;
    const pool = openPool({ url: proxy.url, commandTimeoutMs });
    await pool.ready();
    proxy.delay({ ms: 200, direction: 'toClient' });
    const call = outcomeOf(pool.call('no.such', 'key'));
    const control = controlTimer(commandTimeoutMs);
    // Younger commands with later deadlines stand in front of it when it is sent at last.
    const younger = setInterval(() => void outcomeOf(pool.get('key')), 5);
    const { error, settledAt } = await call;
    clearInterval(younger);
    expect(codeOf(error)).toBe('RP_ERR_COMMAND_TIMEOUT');
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
  });

  test('a script that goes a second time after NOSCRIPT keeps its first deadline', async () => {
    const commandTimeoutMs = 300;
    const pool = openPool({
      url: proxy.url,
      commandTimeoutMs,
      scripts: { answer: { lua: 'return 42', numberOfKeys: 0 } },
    });
    const { answer } = pool as unknown as { answer(): Promise<unknown> };
    expect(await answer.call(pool)).toBe(42);
    await server.adminCommand('SCRIPT', 'FLUSH');
    proxy.delay({ ms: 200, direction: 'toClient' });
    const call = outcomeOf(answer.call(pool));
    const control = controlTimer(commandTimeoutMs);
    const younger = setInterval(() => void outcomeOf(pool.get('key')), 5);
    const { error, settledAt } = await call;
    clearInterval(younger);
    expect(codeOf(error)).toBe('RP_ERR_COMMAND_TIMEOUT');
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
  });

  test('the error of a late command names the command and never its arguments', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 30 });
    await pool.ready();
    server.freeze();
    const error = await errorOf(pool.set('secret-key', 'secret-value'));
    expect(error.message).toContain('SET');
    expect(error.message).not.toContain('secret');
    expect(error.statusCode).toBe(503);
  });
});
