import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createCertificates,
  type FaultProxy,
  type RedisCluster,
  type RedisServer,
  startCluster,
  startFaultProxy,
} from '../src/index.js';
import { useLeakCheck } from '../src/vitest.js';

/** A key of slot 0. */
const KEY = '{06S}key';

describe('a cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  useLeakCheck(() => cluster.nodes);

  test('serves every slot from three masters with a replica each', async () => {
    const masters = await cluster.masters();
    expect(masters).toHaveLength(3);
    for (const master of masters) expect(await cluster.replicasOf(master)).toHaveLength(1);
    const owner = await cluster.ownerOf(0);
    expect(await owner.adminCommand('CLUSTER', 'KEYSLOT', KEY)).toBe(0);
    expect(await owner.adminCommand('SET', KEY, 'value')).toBe('OK');
    const [other] = masters.filter((master) => master !== owner);
    await expect(other?.adminCommand('GET', KEY)).rejects.toThrow(`MOVED 0 127.0.0.1:${owner.port}`);
  });

  test('moves slots with their keys', async () => {
    const source = await cluster.ownerOf(0);
    const target = await cluster.ownerOf(16_383);
    await source.adminCommand('SET', KEY, 'moved');
    await cluster.moveSlots(source, target, { from: 0, to: 9 });
    for (const slot of [0, 9]) expect(await cluster.ownerOf(slot)).toBe(target);
    expect(await cluster.ownerOf(10)).toBe(source);
    expect(await target.adminCommand('GET', KEY)).toBe('moved');
    await expect(source.adminCommand('GET', KEY)).rejects.toThrow('MOVED');
  });

  test('makes a replica the master, by agreement and when the master dies', async () => {
    const [master] = await cluster.masters();
    const [replica] = await cluster.replicasOf(master as NonNullable<typeof master>);
    if (master === undefined || replica === undefined) throw new Error('no replica');
    await cluster.failOver(replica);
    await cluster.untilWell();
    expect(await cluster.replicasOf(replica)).toEqual([master]);
    await replica.kill();
    await cluster.untilMaster(master);
    await replica.restart();
    await cluster.untilWell();
    expect(await cluster.replicasOf(master)).toEqual([replica]);
  });
}, 60_000);

test('one master is enough, with replicas of its own', async () => {
  const cluster = await startCluster({ masters: 1, replicasPerMaster: 2 });
  try {
    const [master] = (await cluster.masters()) as [RedisServer];
    expect(await cluster.replicasOf(master)).toHaveLength(2);
  } finally {
    await cluster.stop();
  }
});

test('passwords and TLS hold for clients, replicas and the bus', async () => {
  const { ca, server } = createCertificates();
  const tls = { ca, ...server, clientCertificates: true };
  const cluster = await startCluster({ password: 'secret', tls });
  try {
    const [source, target] = await cluster.masters();
    if (source === undefined || target === undefined) throw new Error('too few masters');
    await source.adminCommand('SET', KEY, 'value');
    await cluster.moveSlots(source, target, { from: 0, to: 0 });
    expect(await target.adminCommand('GET', KEY)).toBe('value');
  } finally {
    await cluster.stop();
  }
});

test('nodes can be told to announce another address', async () => {
  const proxies: FaultProxy[] = [];
  const cluster = await startCluster({
    replicasPerMaster: 0,
    announce: async (target) => {
      const proxy = await startFaultProxy({ target });
      proxies.push(proxy);
      return { host: '127.0.0.1', port: proxy.port };
    },
  });
  try {
    const [first] = cluster.nodes;
    const slots = JSON.stringify(await first?.adminCommand('CLUSTER', 'SLOTS'));
    for (const { port } of proxies) expect(slots).toContain(`,${port},`);
    for (const { port } of cluster.nodes) expect(slots).not.toContain(`,${port},`);
  } finally {
    await cluster.stop();
    for (const proxy of proxies) await proxy.close();
  }
});
