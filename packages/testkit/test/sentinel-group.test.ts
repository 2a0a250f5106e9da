import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCertificates, type SentinelGroup, startSentinels, waitUntil } from '../src/index.js';
import { useLeakCheck } from '../src/vitest.js';

describe('a group of Sentinels', () => {
  let group: SentinelGroup;

  beforeAll(async () => {
    group = await startSentinels({ replicas: 2 });
  });
  afterAll(() => group.stop());
  useLeakCheck(() => [...group.servers, ...group.sentinels]);

  test('agrees on the master, whose replicas have its data', async () => {
    const master = await group.master();
    expect(await group.masterPort()).toBe(master.port);
    expect(await master.adminCommand('ROLE')).toContain('master');
    const replicas = await group.replicas();
    expect(replicas).toHaveLength(2);
    await master.adminCommand('SET', 'key', 'value');
    for (const replica of replicas) {
      await waitUntil(async () => (await replica.adminCommand('GET', 'key')) === 'value', {
        what: 'the replica has the value',
      });
    }
  });

  test('chooses another master when told to, and when the master goes silent', async () => {
    const first = await group.master();
    const second = await group.failOver();
    expect(second).not.toBe(first);
    expect(await second.adminCommand('ROLE')).toContain('master');
    second.freeze();
    const third = await group.untilMasterIsNot(second.port);
    expect(await third.adminCommand('ROLE')).toContain('master');
    await second.restart();
  });

  test('knows the master also when a Sentinel is frozen, or has been killed and restarted', async () => {
    const [one] = group.sentinels;
    const port = await group.masterPort();
    one?.freeze();
    expect(await group.masterPort()).toBe(port);
    one?.thaw();
    await one?.kill();
    expect(await group.masterPort()).toBe(port);
    await one?.restart();
    expect(await group.masterPort()).toBe(port);
  });
}, 90_000);

test('passwords and TLS hold for master, replicas and Sentinels, among themselves too', async () => {
  const { ca, server } = createCertificates();
  const tls = { ca, ...server, clientCertificates: true };
  const group = await startSentinels({ sentinels: 1, password: 'data', sentinelPassword: 'watch', tls });
  try {
    expect((await group.master()).url).toMatch(/^rediss:\/\/:data@/);
    expect(group.sentinels[0]?.url).toMatch(/^rediss:\/\/:watch@/);
    expect(await group.replicas()).toHaveLength(1);
  } finally {
    await group.stop();
  }
});

test('a group that cannot start leaves nothing running', async () => {
  await expect(startSentinels({ args: ['--nonsense', '1'] })).rejects.toThrow('did not start');
  await expect(startSentinels({ downAfterMs: -1 })).rejects.toThrow('did not start');
  expect(process.getActiveResourcesInfo().filter((type) => /Process/.test(type))).toEqual([]);
});
