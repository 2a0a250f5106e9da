import { readFile } from 'node:fs/promises';
import { type FaultProxy, type RedisServer, startFaultProxy, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isRedisPoolError } from '../../src/index.js';
import { ACCOUNT_MODES } from './failure-modes-account.js';
import { CALLER_MODES } from './failure-modes-caller.js';
import { NETWORK_MODES } from './failure-modes-network.js';
import { SERVER_MODES } from './failure-modes-server.js';
import type { FailureMode } from './failure-scene.js';
import { REASON } from './failure-scene.js';
import { usePools } from './pool-harness.js';

interface Row {
  readonly fault: string;
  readonly error: string;
  readonly maybeExecuted: string;
  readonly retryable: string;
}

const MODES: ReadonlyMap<string, FailureMode> = new Map(
  [SERVER_MODES, NETWORK_MODES, ACCOUNT_MODES, CALLER_MODES].flatMap((modes) => Object.entries(modes)),
);
const page = await readFile(new URL('../../../../docs/failure-modes.md', import.meta.url), 'utf8');
const rows = readRows(page);

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  const loading = ['--loading-process-events-interval-bytes', '1024', '--rdbcompression', 'no'];
  server = await startRedis({ args: [...loading, '--busy-reply-threshold', '20'] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await server.adminCommand('CONFIG', 'SET', 'maxclients', 1_000);
  await server.adminCommand('CONFIG', 'SET', 'maxmemory', 0);
  await server.adminCommand('REPLICAOF', 'NO', 'ONE');
  await proxy.close();
});

/** The rows of the table under the heading that starts with "fault". */
function readRows(text: string): Row[] {
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  const [, , ...cells] = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  return cells.map(([, fault = '', error = '', maybeExecuted = '', retryable = '']) => {
    return { fault, error: error.replaceAll('`', ''), maybeExecuted, retryable };
  });
}

/** What a caller got, in the words of the table. */
function describeError(fault: string, error: unknown): Row {
  const told = (name: string): string => {
    const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
    return value === undefined ? '' : value ? 'yes' : 'no';
  };
  return { fault, error: nameOf(error), maybeExecuted: told('maybeExecuted'), retryable: told('retryable') };
}

function nameOf(error: unknown): string {
  if (error === undefined) return 'none';
  if (error === REASON) return 'reason';
  if (isRedisPoolError(error)) return error.code;
  return error instanceof Error && error.name === 'ReplyError'
    ? `${error.message.split(' ')[0]}`
    : String(error);
}

describe('docs/failure-modes.md', () => {
  test('has a row for each of these tests, and no other', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.map(({ fault }) => fault).sort()).toEqual([...MODES.keys()].sort());
  });

  test.each(rows.map((row) => [row.fault, row] as const))('%s', async (fault, row) => {
    const mode = MODES.get(fault);
    expect(mode).toBeDefined();
    const error = await mode?.({ server, proxy, openPool });
    expect(describeError(fault, error)).toEqual(row);
  });
});
