import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createRedisPool, type RedisPool, type RedisPoolOptions } from '../../src/index.js';
import { useCluster } from '../cluster/cluster-harness.js';
import { type LoadReport, MixedLoad } from './mixed-load.js';
import { TokenService, tokenOf } from './token-service.js';

/** ROTATION_MS=60000 is the long run: `pnpm --filter @redis-pool/core long:rotation`. */
const runMs = Number(process.env.ROTATION_MS ?? 3_000);
const clusterRunMs = Number(process.env.ROTATION_CLUSTER_MS ?? 3_000);
const callers = Number(process.env.ROTATION_CALLERS ?? 64);
const everyMs = Number(process.env.ROTATION_EVERY_MS ?? 600);
/** Whoever held a lease when the next token came has the rest of this time to give it back: 15 % of it at least. */
const overlapMs = everyMs * 0.75;
const report = process.env.ROTATION_PROGRESS === undefined ? () => {} : (line: string) => console.log(line);
const limitMs = Math.max(runMs, clusterRunMs) + 30_000;

let server: RedisServer;
// A busy machine is no failover.
const cluster = useCluster({ masters: 3, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => [server, ...cluster.current.nodes]);

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const opened: RedisPool[] = [];
const services: TokenService[] = [];
afterEach(async () => {
  for (const pool of opened.splice(0)) pool.destroy();
  for (const service of services.splice(0)) await service.stop();
});

function open(options: RedisPoolOptions): RedisPool {
  const pool = createRedisPool({
    name: `rotation-${opened.length}`,
    maxConnections: 60,
    // Connections of every kind are made all the time, each with the token of that moment.
    leaseMaxLifetimeMs: 700,
    laneMaxLifetimeMs: 1_500,
    ...options,
  });
  opened.push(pool);
  return pool;
}

interface Run {
  readonly servers: readonly RedisServer[];
  readonly users: 'one' | 'each';
  readonly options: RedisPoolOptions;
  readonly durationMs: number;
}

async function rotateUnderLoad({ servers, users, options, durationMs }: Run) {
  for (const each of servers) await each.adminCommand('FLUSHALL');
  const service = await TokenService.start(servers, { everyMs, overlapMs, users });
  services.push(service);
  const pool = open({ ...options, credentials: service.credentials });
  await pool.ready();
  const load = new MixedLoad(pool);
  await load.start(callers);
  await sleep(durationMs);
  const result = await load.stop();
  const stats = pool.stats();
  await pool.close();
  return { result, stats, service };
}

type Outcome = Awaited<ReturnType<typeof rotateUnderLoad>>;

function describeRun(name: string, { result, stats, service }: Outcome): void {
  const { failures, answered, published, received, gaps } = result;
  report(
    `${name}: ${service.rotations} rotations, ${stats.reauthentications} AUTHs on open connections ` +
      `(${stats.reauthenticationsFailed} refused), ${stats.connectAttempts} connections made, ` +
      `${stats.lostConnections} lost, ${stats.commands} commands, calls ${JSON.stringify(answered)}, ` +
      `messages ${received} of ${published} (${gaps} gaps), failures ${failures.length}` +
      `${failures.length > 0 ? `: ${failures.slice(0, 5)}` : ''}`,
  );
}

/** `told`: connections that hear of each token, at least. */
function expectNoFailure({ result, stats, service }: Outcome, told: number): void {
  const { failures, answered, published, received, gaps } = result as LoadReport;
  expect(failures).toEqual([]);
  const kinds = ['blocking', 'chain', 'command', 'lease', 'publish', 'transaction'];
  expect(Object.keys(answered).sort()).toEqual(kinds);
  expect([received, gaps]).toEqual([published, 0]);
  expect(stats).toMatchObject({ lostConnections: 0, reauthenticationsFailed: 0, connectFailures: 0 });
  expect(service.seen.size).toBeGreaterThan(3);
  // The AUTHs of the last one may be under way.
  expect(stats.reauthentications).toBeGreaterThanOrEqual((service.seen.size - 2) * told);
}

test.each([3, 2] as const)(
  'passwords that rotate under load fail no command, with RESP%i',
  async (protocol) => {
    const options = { url: server.url, redis: { protocol } };
    const outcome = await rotateUnderLoad({ servers: [server], users: 'one', options, durationMs: runMs });
    describeRun(`RESP${protocol}`, outcome);
    // The subscriber, too, where it may be told.
    expectNoFailure(outcome, protocol === 3 ? 2 : 1);
  },
  limitMs,
);

test(
  'no connection is left that has not said the new token when the server ends those of the one before',
  async () => {
    const options = { url: server.url };
    const outcome = await rotateUnderLoad({ servers: [server], users: 'each', options, durationMs: runMs });
    describeRun('A user for each token', outcome);
    expectNoFailure(outcome, 2);
  },
  limitMs,
);

test('the rotation is one: the token before last is refused', async () => {
  const service = await TokenService.start([server], { everyMs: 60, overlapMs: 30, users: 'one' });
  services.push(service);
  await waitUntil(() => service.rotations >= 3, { what: 'three rotations' });
  const late = open({ url: server.url, redis: { username: 'app', password: tokenOf(0) } });
  await expect(late.ready()).rejects.toMatchObject({ code: 'RP_ERR_AUTH' });
});

test.each([
  [2, 'one'],
  [3, 'each'],
] as const)(
  'passwords that rotate under load on a cluster fail no command, with RESP%i and the users: %s',
  async (protocol, users) => {
    const servers = cluster.current.nodes;
    const nodes = servers.map(({ host, port }) => ({ host, port }));
    const options = { cluster: { nodes, options: { redisOptions: { protocol } } } };
    const outcome = await rotateUnderLoad({ servers, users, options, durationMs: clusterRunMs });
    describeRun(`Cluster, RESP${protocol}, users: ${users}`, outcome);
    // Each node asks for its tokens itself.
    expectNoFailure(outcome, 2);
  },
  limitMs,
);
