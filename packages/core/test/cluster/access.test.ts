import { createCertificates, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, describe, expect, test } from 'vitest';
import { errorOf } from '../lease/lease-harness.js';
import { keysInSlots, seedsOf, useCluster, useClusterPools } from './cluster-harness.js';

const certificates = createCertificates();
const { ca } = certificates;
const PASSWORD = 'of-all-nodes';
// Certificates with a name and no address: who connects by address is refused.
const cluster = useCluster({
  masters: 3,
  replicasPerMaster: 0,
  nodeTimeoutMs: 30_000,
  password: PASSWORD,
  tls: { ...certificates.issue({ names: ['localhost'] }), ca },
  args: ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'],
});
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

const byName = () => seedsOf(cluster.current).map(({ port }) => ({ host: 'localhost', port }));
const oneKeyOfEach = keysInSlots(0, 0).concat(keysInSlots(8_000, 8_000), keysInSlots(16_000, 16_000));

async function setUser(...rules: string[]): Promise<void> {
  for (const node of cluster.current.nodes) await node.adminCommand('ACL', 'SETUSER', 'app', ...rules);
}

afterEach(async () => {
  for (const node of cluster.current.nodes) await node.adminCommand('ACL', 'DELUSER', 'app');
});

describe('TLS with an authority of its own', () => {
  test('reaches every node by the name that it announces, with everything', async () => {
    const redisOptions = { tls: { ca }, password: PASSWORD };
    const pool = open(cluster.current, { nodes: byName().slice(0, 1), cluster: { redisOptions } });
    await Promise.all(oneKeyOfEach.map((key) => pool.set(key, key)));
    expect(await Promise.all(oneKeyOfEach.map((key) => pool.get(key)))).toEqual(oneKeyOfEach);
    const [key = ''] = oneKeyOfEach;
    expect(await pool.lease((lease) => lease.get(key), { key })).toBe(key);
    expect(await pool.multi().get(key).exec()).toEqual([[null, key]]);
    const got: string[] = [];
    const subscription = await pool.ssubscribe(key, (message) => void got.push(message));
    await pool.spublish(key, 'hello');
    await waitUntil(() => got.length === 1, { what: 'the message is there' });
    await subscription.unsubscribe();
    const addresses = pool.stats().nodes.map(({ address }) => address);
    expect(addresses.sort()).toEqual(
      byName()
        .map(({ host, port }) => `${host}:${port}`)
        .sort(),
    );
    expect(pool.stats()).toMatchObject({ lostConnections: 0, connectFailures: 0 });
  });

  test('is refused at once where the certificate names another host', async () => {
    const redisOptions = { tls: { ca }, password: PASSWORD };
    const pool = open(cluster.current, { cluster: { redisOptions } });
    const error = await errorOf(pool.ready());
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  });

  test('is refused at once where the authority is not known', async () => {
    const redisOptions = { tls: {}, password: PASSWORD };
    const pool = open(cluster.current, { nodes: byName(), cluster: { redisOptions } });
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_CONNECT' });
  });
});

describe('dnsLookup', () => {
  const redisOptions = { tls: { ca }, password: PASSWORD };

  test.each([
    ['answers with another name', 'redis.test', (_host: string) => 'localhost'],
    ['answers with an address', 'redis.test', (_host: string) => '127.0.0.1'],
    ['answers with the name itself, as services with TLS recommend', 'localhost', (host: string) => host],
  ])('that %s finds the nodes, and the certificate is checked against the host', async (_, host, find) => {
    const asked = new Set<string>();
    const pool = open(cluster.current, {
      nodes: byName().map(({ port }) => ({ host, port })),
      cluster: {
        natMap: (name) => ({ host, port: Number(name.split(':')[1]) }),
        dnsLookup: (name, found) => {
          asked.add(name);
          found(null, find(name));
        },
        redisOptions: { ...redisOptions, tls: { ca, servername: 'localhost' } },
      },
    });
    for (const key of oneKeyOfEach) expect(await pool.set(key, host)).toBe('OK');
    expect(await pool.dedicated('worker').get(oneKeyOfEach[0] as string)).toBe(host);
    expect([...asked]).toEqual([host]);
  });

  test('does not change which name the certificate has to have', async () => {
    const pool = open(cluster.current, {
      nodes: byName().map(({ port }) => ({ host: 'redis.test', port })),
      cluster: { dnsLookup: (_name, found) => found(null, '127.0.0.1'), redisOptions },
    });
    const error = await errorOf(pool.ready());
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  });

  test('that fails is an attempt that fails', async () => {
    const pool = open(cluster.current, {
      nodes: byName(),
      cluster: { dnsLookup: (_name, found) => found(new Error('no such host'), ''), redisOptions },
    });
    const error = await errorOf(pool.ready({ timeoutMs: 300 }));
    expect(error.message).toContain('no such host');
  });
});

describe('users', () => {
  const RULES = ['on', '>secret', '~*', '&*', '+@all'] as const;
  const asApp = { tls: { ca }, username: 'app', password: 'secret' };

  test('of each node are logged in with, dedicated clients too', async () => {
    await setUser(...RULES);
    const pool = open(cluster.current, { nodes: byName(), cluster: { redisOptions: asApp } });
    for (const key of oneKeyOfEach) expect(await pool.set(key, 'x')).toBe('OK');
    expect(await pool.dedicated('worker').get(oneKeyOfEach[0] as string)).toBe('x');
    for (const node of cluster.current.nodes) {
      const users = (await node.clients()).map(({ fields }) => fields.user);
      expect(new Set(users)).toEqual(new Set(['app']));
    }
  });

  test('with no more than the documented rules are enough', async () => {
    const rules = '+@read +@write +@pubsub +ping +cluster|slots +asking +readonly'.split(' ');
    await setUser('on', '>secret', '~*', '&*', ...rules);
    const pool = open(cluster.current, { nodes: byName(), cluster: { redisOptions: asApp } });
    for (const key of oneKeyOfEach) expect(await pool.set(key, 'x')).toBe('OK');
  });

  test('that may not ask who has which slots have no cluster', async () => {
    await setUser(...RULES, '-cluster|slots');
    const limits = { commandTimeoutMs: 300, cluster: { redisOptions: asApp } };
    const pool = open(cluster.current, { nodes: byName(), ...limits });
    const refusal = { code: 'RP_ERR_AUTH', message: expect.stringContaining("'cluster|slots'") };
    expect(await errorOf(pool.ready())).toMatchObject(refusal);
    expect(await errorOf(pool.get('key'))).toMatchObject({
      ...{ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false },
      cause: refusal,
    });
    await setUser('+cluster|slots');
    expect(await pool.set('key', 'x')).toBe('OK');
  });
});

test('credentials that are asked for reach every node, and dedicated clients', async () => {
  await setUser('on', '>first', '~*', '&*', '+@all');
  let password = 'first';
  const credentials = async () => ({ username: 'app', password });
  const pool = open(cluster.current, {
    nodes: byName(),
    credentials,
    cluster: { redisOptions: { tls: { ca } } },
  });
  await pool.ready();
  for (const key of oneKeyOfEach) expect(await pool.set(key, 'x')).toBe('OK');
  // Nothing is asked ahead of an attempt.
  await setUser('resetpass', '>second');
  password = 'second';
  const worker = pool.dedicated('worker');
  for (const key of oneKeyOfEach) expect(await worker.get(key)).toBe('x');
  const got: string[] = [];
  worker.on('message', (_channel: string, message: string) => void got.push(message));
  await worker.subscribe('news');
  await pool.publish('news', 'hello');
  await waitUntil(() => got.length === 1, { what: 'the message is there' });
  // Every connection is made anew, with what is valid then.
  await setUser('resetpass', '>third');
  password = 'third';
  for (const node of cluster.current.nodes) await node.adminCommand('CLIENT', 'KILL', 'USER', 'app');
  for (const key of oneKeyOfEach) expect(await worker.get(key)).toBe('x');
  const isHeard = async () => (await pool.publish('news', 'again')) >= 0 && got.includes('again');
  await waitUntil(isHeard, { what: 'messages come again' });
});
