import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { codeOf, outcomeOf, usePools } from './pool-harness.js';

/** Nowhere to be found: password, key, value, script, channel. */
const SECRETS = ['s3cret-password', 's3cret-key', 's3cret-value', 's3cret-script', 's3cret-channel'] as const;
const [PASSWORD, KEY, VALUE, SCRIPT, CHANNEL] = SECRETS;
const FAST_RECONNECT = { minDelayMs: 5, maxDelayMs: 20 };

let server: RedisServer;
let proxy: FaultProxy;
const seen: unknown[] = [];

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis({ password: PASSWORD });
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

const note = (...line: unknown[]): void => void seen.push(...line);
const logger = { debug: note, info: note, warn: note, error: note };

function open(options: Parameters<typeof openPool>[0] = {}): RedisPool {
  const url = `redis://:${PASSWORD}@127.0.0.1:${proxy.port}`;
  return openPool({
    url,
    commandTimeoutMs: 150,
    acquireTimeoutMs: 150,
    reconnect: FAST_RECONNECT,
    logger,
    ...options,
  });
}

/** A call of each kind, all with secrets in them; keeps how they end. */
async function callEverything(pool: RedisPool): Promise<void> {
  const calls = [
    pool.set(KEY, VALUE),
    pool.get(KEY),
    pool.call('NO-SUCH-COMMAND', KEY, VALUE),
    pool.lpush(KEY, VALUE),
    pool.eval(`return redis.call('incr', KEYS[1], '${SCRIPT}')`, 1, KEY),
    pool.acl('SETUSER', KEY, `>${VALUE}`, `${SCRIPT}-no-such-rule`),
    pool.pipeline().set(KEY, VALUE).lpush(KEY, VALUE).exec(),
    pool.multi().set(KEY, VALUE).call('NO-SUCH-COMMAND', VALUE).exec(),
    pool.blpop(KEY, 1),
    pool.lease((lease) => lease.lpush(KEY, VALUE)),
    pool.transaction([KEY], (_read, queue) => void queue.lpush(KEY, VALUE)),
    pool.subscribe(CHANNEL, () => {}),
    pool.scope({ timeoutMs: 50 }).set(KEY, VALUE),
  ];
  for (const { error, value } of await Promise.all(calls.map(outcomeOf))) seen.push(error, errorsIn(value));
}

/** Results of pipelines hold errors too; what else they hold is the caller's. */
function errorsIn(value: unknown): unknown[] {
  if (value instanceof Error) return [value];
  return Array.isArray(value) ? value.flatMap(errorsIn) : [];
}

/** Everything that can be read off a value: what is enumerable, hidden, nested, and in the text of the stack. */
function everythingOf(value: unknown): string {
  const shown = inspect(value, { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null });
  return `${shown}${JSON.stringify(value)}${value instanceof Error ? `${value.stack}${value.message}` : ''}`;
}

test('no error, of any kind and at any depth, and no line of the log holds a secret or an argument', async () => {
  const steady = open();
  await callEverything(steady);
  server.freeze();
  await callEverything(steady);
  server.thaw();
  const lost = open();
  await lost.ready();
  proxy.blackHole();
  const calling = callEverything(lost);
  await sleep(50);
  proxy.reset();
  await calling;
  proxy.refuse();
  await callEverything(open());
  await proxy.heal();
  await callEverything(open({ url: `redis://127.0.0.1:${proxy.port}` }));
  await callEverything(open({ url: `redis://:${SECRETS[2]}@127.0.0.1:${proxy.port}` }));
  await callEverything(open({ maxPending: { commands: 1 }, maxConnections: 2, maxWaiting: 0 }));
  const closed = open();
  await closed.ready();
  server.freeze();
  const cut = callEverything(closed);
  await closed.close({ timeoutMs: 50 });
  await cut;
  await callEverything(closed);
  server.thaw();
  const readOnly = open();
  await readOnly.ready();
  await server.adminCommand('REPLICAOF', '127.0.0.1', 1);
  await callEverything(readOnly);
  await server.adminCommand('REPLICAOF', 'NO', 'ONE');
  let password: string = PASSWORD;
  const rotating = open({
    url: `redis://127.0.0.1:${proxy.port}`,
    credentials: () => ({ password, validForMs: 50 }),
  });
  await rotating.ready();
  password = VALUE;
  await waitUntil(() => rotating.stats().reauthenticationsFailed > 0, { what: 'a refused password' });
  const codes = new Set(seen.map(codeOf));
  for (const code of ['COMMAND_TIMEOUT', 'UNAVAILABLE', 'CONNECTION_LOST', 'QUEUE_FULL', 'ACQUIRE_TIMEOUT'])
    expect(codes).toContain(`RP_ERR_${code}`);
  expect(codes.has('RP_ERR_CLOSED') || codes.has('RP_ERR_CLOSING')).toBe(true);
  expect(seen.length).toBeGreaterThan(100);
  for (const value of [...seen, rotating, rotating.stats()])
    for (const secret of SECRETS) expect(everythingOf(value)).not.toContain(secret);
}, 40_000);
