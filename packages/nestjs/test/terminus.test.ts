import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { RedisPool } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RedisPoolModule } from '../src/index.js';
import { RedisPoolHealthIndicator } from '../src/terminus.js';
import { NestApps, STACKS } from './apps.js';
import { get } from './http.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = new NestApps();
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  if (server.status !== 'running') await server.restart();
});

@Controller('health')
class Health {
  readonly #health: HealthCheckService;
  readonly #redis: RedisPoolHealthIndicator;

  constructor(
    @Inject(HealthCheckService) health: HealthCheckService,
    @Inject(RedisPoolHealthIndicator) redis: RedisPoolHealthIndicator,
  ) {
    this.#health = health;
    this.#redis = redis;
  }

  @Get()
  @HealthCheck()
  check() {
    return this.#health.check([
      () => this.#redis.isHealthy('redis', { timeoutMs: 100 }),
      () => this.#redis.isHealthy('cache', { namespace: 'cache' }),
    ]);
  }
}

async function start() {
  const options = { url: server.url, closeTimeoutMs: 200 };
  const { app, url } = await apps.listen((STACKS[0] as (typeof STACKS)[number])[1], {
    imports: [
      TerminusModule.forRoot({ logger: false }),
      RedisPoolModule.forRoot({ ...options, commandTimeoutMs: 2_000 }),
      RedisPoolModule.forRoot({ ...options, namespace: 'cache', startup: 'lazy' }),
    ],
    controllers: [Health],
    providers: [RedisPoolHealthIndicator],
  });
  const health = async () => {
    const { status, body } = await get(`${url}/health`);
    return { status, details: JSON.parse(body).details };
  };
  return { app, pool: app.get(RedisPool), health };
}

test('a pool that answers is up; a lazy one is down until its first command, and no check is one', async () => {
  const { app, health } = await start();
  const redis = { status: 'up', pool: 'ready', pingMs: expect.any(Number) };
  const cache = { status: 'down', pool: 'connecting', message: 'RP_ERR_UNAVAILABLE' };
  expect(await health()).toEqual({ status: 503, details: { redis, cache } });
  expect(await server.clients()).toHaveLength(1);
  await app.get<RedisPool>('RedisPool:cache').ping();
  expect(await health()).toEqual({ status: 200, details: { redis, cache: redis } });
});

test('a server that says nothing is down by timeoutMs, and nothing of its address is told', async () => {
  const { health } = await start();
  server.freeze();
  const startedAt = performance.now();
  const { status, details } = await health();
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(status).toBe(503);
  expect(details.redis).toEqual({ status: 'down', pool: 'ready', message: 'RP_ERR_COMMAND_TIMEOUT' });
});

test('a server that is away is down at once', async () => {
  const { pool, health } = await start();
  await server.kill();
  await waitUntil(() => pool.status === 'degraded', { what: 'the pool has lost its connection' });
  const { details } = await health();
  expect(details.redis).toEqual({ status: 'down', pool: 'degraded', message: 'RP_ERR_UNAVAILABLE' });
});
