import { request } from 'node:http';
import { Writable } from 'node:stream';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { redisPool } from '../src/index.js';
import { useApps } from './apps.js';

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly pool?: string;
}

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
afterEach(async () => {
  if (server.status !== 'running') await server.restart();
});
const newApp = useApps();

function capture(): { lines: LogLine[]; stream: Writable } {
  const lines: LogLine[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, stream };
}

test("the pool reports to the application's log", async () => {
  const { lines, stream } = capture();
  const app = newApp({ logger: { stream } });
  await app.register(redisPool, { url: server.url });
  await app.close();
  const messages = lines.filter(({ pool }) => pool === 'default').map(({ msg }) => msg);
  expect(messages).toEqual([
    `Redis pool "default" is connected to 127.0.0.1:${server.port}`,
    'Redis pool "default" is closed',
  ]);
});

test('a client that hangs up is information, no error', async () => {
  const { lines, stream } = capture();
  const app = newApp({ logger: { stream } });
  await app.register(redisPool, { url: server.url });
  app.get('/parked', (request) => request.redis.blpop('queue', 0));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = request(`${url}/parked`).on('error', () => {});
  client.end();
  await waitUntil(() => app.redis.stats().leases.leased === 1, { what: 'it is parked' });
  client.destroy();
  const told = () => lines.filter(({ msg }) => msg.includes('hung up'));
  await waitUntil(() => told().length > 0, { what: 'it is told' });
  expect(told().map(({ level }) => level)).toEqual([30]);
});

test('an outage at startup is one warning, however many attempts there are', async () => {
  await server.kill();
  const { lines, stream } = capture();
  const app = newApp({ logger: { stream } });
  const reconnect = { minDelayMs: 1, maxDelayMs: 5 };
  await app.register(redisPool, { url: server.url, startup: 'optional', reconnect });
  await waitUntil(() => app.redis.stats().connectAttempts > 10, { what: 'many attempts have failed' });
  await app.close();
  expect(lines.filter(({ level, pool }) => level >= 40 && pool === 'default')).toHaveLength(1);
});

test('a logger of its own takes precedence', async () => {
  const { lines, stream } = capture();
  const messages: string[] = [];
  const note = (_fields: object, message: string) => messages.push(message);
  const app = newApp({ logger: { stream } });
  const logger = { debug: note, info: note, warn: note, error: note };
  await app.register(redisPool, { url: server.url, logger });
  await app.close();
  expect(messages).toHaveLength(2);
  expect(lines.filter(({ pool }) => pool === 'default')).toEqual([]);
});
