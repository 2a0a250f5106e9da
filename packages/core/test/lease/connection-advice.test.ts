import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisPoolOptions } from '../../src/index.js';
import { callsAt, usePools } from './lease-harness.js';

const MAX_CLIENTS = 100;

let server: RedisServer;

useLeakCheck(() => [server]);
const open = usePools();

beforeAll(async () => {
  server = await startRedis({ args: ['--maxclients', `${MAX_CLIENTS}`] });
});
afterAll(() => server.stop());

/** Opens a pool and resolves with what it warned of when it has looked at the server. */
async function warningsOf(options: RedisPoolOptions): Promise<object[]> {
  await server.adminCommand('CONFIG', 'RESETSTAT');
  const warnings: object[] = [];
  const logger = { info() {}, error() {}, debug() {}, warn: (fields: object) => void warnings.push(fields) };
  const pool = open({ url: server.url, logger, ...options });
  await pool.ready();
  await waitUntil(async () => ((await callsAt(server)).get('client|list') ?? 0) > 0, {
    what: 'it has looked',
  });
  // Its answer comes before that of a command that is sent now.
  await pool.ping();
  await pool.close();
  return warnings;
}

describe('the advice on maxConnections', () => {
  test('comes when the caps of all processes together come near the limit of the server', async () => {
    const options = { name: 'app', maxConnections: 80 };
    expect(await warningsOf(options)).toEqual([
      { pool: 'app', processes: 1, maxConnections: 80, maxClients: MAX_CLIENTS },
    ]);
  });

  test('does not come when there is room', async () => {
    expect(await warningsOf({ name: 'app', maxConnections: 79 })).toEqual([]);
  });

  test('counts pools of the same name in other processes, by the name of their lanes', async () => {
    const others = open({ url: server.url, name: 'other', maxConnections: 20 });
    // As another process would be seen.
    const client = others.dedicated('stand-in', { connectionName: 'ignored' });
    await client.client('SETNAME', 'app:lane:999999');
    expect(await warningsOf({ name: 'app', maxConnections: 40 })).toEqual([
      { pool: 'app', processes: 2, maxConnections: 40, maxClients: MAX_CLIENTS },
    ]);
    await client.client('SETNAME', 'application:lane:999999');
    expect(await warningsOf({ name: 'app', maxConnections: 40 })).toEqual([]);
  });

  test('is not asked for without a logger', async () => {
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const pool = open({ url: server.url, maxConnections: 80 });
    await pool.ready();
    await pool.ping();
    await pool.close();
    expect((await callsAt(server)).get('client|list')).toBeUndefined();
  });
});
