import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, LINKS, useLink, usePools } from '../fault/pool-harness.js';
import { exercise } from './exercise.js';

const PASSWORD = 'correct-horse';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis({ unixSocket: true, password: PASSWORD });
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));

function pathOf({ socketPath }: RedisServer): string {
  if (socketPath === undefined) throw new Error('The server has no socket');
  return socketPath;
}

describe.each(LINKS)('a unix socket over the %s link', (link) => {
  useLink(link);

  test.each([
    ['redis.path', () => ({ redis: { path: pathOf(server), password: PASSWORD, db: 2 } })],
    ['a unix:// URL', () => ({ url: `unix://:${PASSWORD}@${encodeURI(pathOf(server))}?db=2` })],
  ])('does all that TCP does, by %s', async (_, options) => {
    const pool = openPool(options());
    await exercise(pool);
    expect(pool.stats().lanes).toMatchObject([{ up: true, link }]);
    for (const client of await server.clients()) {
      expect(client.addr).toBe(`${pathOf(server)}:0`);
      expect(client.db).toBe(2);
    }
    await pool.close();
  });

  test('comes back when the server does', async () => {
    const pool = openPool({ redis: { path: pathOf(server), password: PASSWORD } });
    await pool.ready();
    await server.restart();
    expect(await pool.set('key', 'value')).toBe('OK');
  });
});

test('a socket that is not there is named, and waited for until the limit of ready()', async () => {
  const pool = openPool({ url: 'unix:///nowhere/redis.sock', reconnect: { minDelayMs: 5, maxDelayMs: 20 } });
  const error = await errorOf(pool.ready({ timeoutMs: 100 }));
  expect(error).toMatchObject({ code: 'RP_ERR_CONNECT', cause: { cause: { code: 'ENOENT' } } });
  expect(error.message).toContain('unix:/nowhere/redis.sock');
});
