import type { PoolStats } from '@redis-pool/core';
import { freePort, type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type EventStream, openEvents } from '../src/event-stream.js';
import { HttpLoad } from '../src/http-load.js';
import { ServerProcess } from '../src/server-process.js';
import { TEMPLATES } from '../src/templates.js';

const CLIENTS = 16;
const STREAMS = 20;
/** Of Node, until the process is gone. */
const EXIT_MS = 2_000;

describe.each(TEMPLATES)('SIGTERM ends the server of %s', (name) => {
  let redis: RedisServer;
  let server: ServerProcess | undefined;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(() => redis.adminCommand('FLUSHALL'));
  afterEach(async () => {
    await server?.kill();
    redis.thaw();
  });

  async function start(env: Record<string, string>): Promise<Scene> {
    const limits = { RATE_LIMIT: '1000000', RATE_WINDOW_MS: '600000' };
    server = new ServerProcess(name, { REDIS_URL: redis.url, WORKERS: '3', ...limits, ...env });
    const url = await server.listening();
    const streams = await Promise.all(Array.from({ length: STREAMS }, () => openEvents(url)));
    await Promise.all(streams.map((stream) => stream.opened()));
    const parked = async () => (await readState(url)).leases.blocking === 3;
    await waitUntil(parked, { what: 'the workers wait for jobs' });
    const load = new HttpLoad(`${url}/counter/load`, CLIENTS);
    await waitUntil(() => load.answered(200) > 500, { what: 'the server is under load' });
    return { server, url, streams, load };
  }

  test('under load: every request that it took is answered', async () => {
    const budgetMs = 5_000;
    const { server, streams, load } = await start({ CLOSE_TIMEOUT_MS: String(budgetMs) });
    const { code, tookMs } = await terminate(server);
    const { answers, unread, failures } = await load.result();
    console.log(
      `${name}: ended ${tookMs} ms after SIGTERM, ${answers[200]} answers, ${unread} requests not read, ` +
        `${failures.length} failed`,
    );
    expect({ code, failures }).toEqual({ code: 0, failures: [] });
    expect(tookMs).toBeLessThan(budgetMs + EXIT_MS);
    expect(Object.keys(answers)).toEqual(['200']);
    // It answered each request of which it had begun anything, so it had not read those whose connections it reset.
    expect(await redis.adminCommand('ZCARD', 'rate:address:127.0.0.1')).toBe(answers[200]);
    expect(await redis.adminCommand('GET', 'counter:load')).toBe(String(answers[200]));
    await waitUntil(() => streams.every(({ ended }) => ended), { what: 'every stream has ended in order' });
    expect(drainReport(server)).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(await redis.clients()).toEqual([]);
  });

  test('while Redis does not answer: in time, and what was cut is told', async () => {
    const budgetMs = 2_000;
    const { server, url, streams, load } = await start({
      CLOSE_TIMEOUT_MS: String(budgetMs),
      COMMAND_TIMEOUT_MS: '30000',
    });
    redis.freeze();
    const stuck = async () => (await readState(url)).pending.commands >= CLIENTS;
    await waitUntil(stuck, { what: 'every client waits for Redis' });
    const { code, tookMs } = await terminate(server);
    const { answers, failures } = await load.result();
    const report = drainReport(server);
    console.log(
      `${name}: ended ${tookMs} ms after SIGTERM without Redis, ${JSON.stringify({ answers, report })}`,
    );
    expect({ code, failures }).toEqual({ code: 0, failures: [] });
    expect(tookMs).toBeLessThan(budgetMs + EXIT_MS);
    // Each client had one request on its way, and was told to try later.
    expect(answers[503]).toBeGreaterThanOrEqual(CLIENTS);
    expect(report).toMatchObject({ drained: false });
    expect(report.cutCommands).toBeGreaterThanOrEqual(CLIENTS);
    await waitUntil(() => streams.every(({ ended }) => ended), { what: 'every stream has ended in order' });
  });

  test('while Redis is away: in time', async () => {
    const budgetMs = 1_000;
    const limits = { CLOSE_TIMEOUT_MS: String(budgetMs), COMMAND_TIMEOUT_MS: '30000' };
    server = new ServerProcess(name, { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, ...limits });
    const url = await server.listening();
    const isWaiting = async () => (await readState(url)).pending.commands > 0;
    await waitUntil(isWaiting, { what: 'the worker waits for a connection' });
    const { code, tookMs } = await terminate(server);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(budgetMs + EXIT_MS);
  });
});

interface Scene {
  readonly server: ServerProcess;
  readonly url: string;
  readonly streams: readonly EventStream[];
  readonly load: HttpLoad;
}

async function readState(url: string): Promise<PoolStats> {
  // A connection that is kept open would be one more to end.
  const answer = await fetch(`${url}/state`, { headers: { connection: 'close' } });
  return (await answer.json()) as PoolStats;
}

async function terminate(server: ServerProcess) {
  const startedAt = performance.now();
  server.signal('SIGTERM');
  const code = await server.exited();
  return { code, tookMs: Math.round(performance.now() - startedAt) };
}

/** What the log says about the end of the pool. */
function drainReport({ output }: ServerProcess) {
  const line = output.split('\n').find((candidate) => candidate.includes('is closed'));
  const number = (name: string) => Number(new RegExp(`"?${name}"?: ?(\\d+)`).exec(line ?? '')?.[1]);
  return {
    drained: /"?drained"?: ?true/.test(line ?? ''),
    cutCommands: number('cutCommands'),
    cutLeases: number('cutLeases'),
  };
}
