import type { RedisServer } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { describe, expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import { errorOf } from '../lease/lease-harness.js';
import { keyOn, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 2, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

/** What is wrong is what users without types get wrong. */
const MISTAKES: Readonly<Record<string, unknown>> = {
  'an address as text': '127.0.0.1:7000',
  'no host': { port: 7_000 },
  'a port that is none': { host: '127.0.0.1', port: 70_000 },
};

describe.each(Object.entries(MISTAKES))('natMap with %s', (_, address) => {
  test('is refused at once as an object', () => {
    const natMap = { '10.0.0.1:7000': address } as never;
    expect(() => open(cluster.current, { cluster: { natMap } })).toThrow(
      expect.objectContaining({
        code: 'RP_ERR_INVALID_OPTION',
        message: expect.stringContaining('cluster.options.natMap'),
      }),
    );
  });

  test('is what ready() and commands say as a function', async () => {
    const pool = open(cluster.current, {
      cluster: { natMap: () => address as never },
      commandTimeoutMs: 500,
    });
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    const error = await errorOf(pool.get('a'));
    expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
    expect(error.cause).toMatchObject({ message: expect.stringContaining('natMap') });
  });
});

test('a natMap that throws for what MOVED says fails the command, and nothing else', async () => {
  const [source, target] = cluster.current.nodes as [RedisServer, RedisServer];
  const key = await keyOn(cluster.current, source);
  let isBroken = false;
  const natMap = () => {
    if (isBroken) throw new TypeError('No such node');
    return null as never;
  };
  const pool = open(cluster.current, { cluster: { natMap }, commandTimeoutMs: 400 });
  await pool.set(key, 'value');
  const slot = slotOfKey(key);
  await cluster.current.moveSlots(source, target, { from: slot, to: slot });
  isBroken = true;
  const error = await errorOf(pool.get(key));
  expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
  expect(pool.stats().pending.commands).toBe(0);
  isBroken = false;
  expect(await pool.get(key)).toBe('value');
});
