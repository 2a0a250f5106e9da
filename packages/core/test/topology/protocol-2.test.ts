import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { errorOf, LINKS, useLink, usePools } from '../fault/pool-harness.js';
import { exercise } from './exercise.js';

const PASSWORD = 'correct-horse';

let server: RedisServer;
/** As servers before 6.0, and many proxies. */
let old: RedisServer;

useLeakCheck(() => [server, old]);
const { openPool } = usePools();

beforeAll(async () => {
  [server, old] = await Promise.all([
    startRedis({ password: PASSWORD }),
    startRedis({ password: PASSWORD, args: ['--rename-command', 'HELLO', ''] }),
  ]);
});
afterAll(() => Promise.all([server.stop(), old.stop()]));
beforeEach(() => Promise.all([server.adminCommand('FLUSHALL'), old.adminCommand('FLUSHALL')]));

/** The protocol of each connection of the pool, as the server sees it; this one tells it since 7.0. */
async function protocolsOf(pool: RedisPool, at: RedisServer): Promise<Set<string | undefined>> {
  const clients = await at.clients();
  return new Set(
    clients.filter(({ name }) => name.startsWith(`${pool.name}:`)).map(({ fields }) => fields.resp),
  );
}

describe.each(LINKS)('protocol 2 over the %s link', (link) => {
  useLink(link);

  test.each([
    ['redis.protocol', () => ({ redis: { port: server.port, password: PASSWORD, protocol: 2 as const } })],
    ['the URL', () => ({ url: `${server.url}?protocol=2` })],
  ])('does all that protocol 3 does, asked for by %s', async (_, options) => {
    const pool = openPool(options());
    await exercise(pool);
    expect(pool.stats().lanes).toMatchObject([{ up: true, link }]);
    expect(await protocolsOf(pool, server)).toEqual(new Set(['2']));
  });

  test('is what a server without HELLO gets by itself', async () => {
    const pool = openPool({ url: `${old.url}/2` });
    await exercise(pool);
    expect(pool.stats().lanes).toMatchObject([{ up: true, link }]);
    expect(await protocolsOf(pool, old)).toEqual(new Set(['2']));
    for (const { db } of await old.clients()) expect(db).toBe(2);
  });

  test('is used for a dedicated client too', async () => {
    const pool = openPool({ url: `${server.url}?protocol=2` });
    const client = pool.dedicated('library');
    expect(await client.set('key', 'value')).toBe('OK');
    expect(await protocolsOf(pool, server)).toEqual(new Set(['2']));
    await pool.close();
  });
});

test.each(['wrong', undefined])(
  'a server without HELLO refuses the password %s at once',
  async (password) => {
    const options = { port: old.port, ...(password === undefined ? {} : { password }) };
    const pool = openPool({ redis: options });
    const error = await errorOf(pool.ready({ timeoutMs: 10_000 }));
    expect(error).toMatchObject({ code: 'RP_ERR_AUTH', retryable: false });
  },
);

test('replies that only protocol 3 has are refused before anything is opened', () => {
  const open = () => openPool({ redis: { protocol: 2, replyMapping: 'resp3' } });
  expect(open).toThrow(/"redis.replyMapping" \("resp3"\) and "redis.protocol" \(2\) contradict each other/);
});
