import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import supertest from 'supertest';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Environment, TemplateApp, TemplateHarness } from './harness.js';
import { ServerProcess } from './server-process.js';

/** Far above what a test sends, where the limit is not what it is about. */
const DEFAULTS: Environment = { PORT: '0', LOGS: 'off', RATE_LIMIT: '100000', TRUST_PROXY: 'loopback' };

/** A Redis for the tests of one template, and the applications that a test starts. */
export class Bench {
  readonly #harness: TemplateHarness;
  #redis: RedisServer | undefined;
  #apps: TemplateApp[] = [];
  #servers: ServerProcess[] = [];

  constructor(harness: TemplateHarness) {
    this.#harness = harness;
  }

  get redis(): RedisServer {
    if (this.#redis === undefined) throw new Error('The tests have not begun');
    return this.#redis;
  }

  /** Starts an application, which is closed at the end of the test. */
  async start(env: Environment = {}): Promise<TemplateApp> {
    const app = await this.#harness.start({ ...DEFAULTS, REDIS_URL: this.redis.url, ...env });
    this.#apps.push(app);
    return app;
  }

  /** An application with the given settings, to send requests to. */
  async client(env: Environment = {}): Promise<Client> {
    return supertest((await this.start(env)).url);
  }

  /** Starts its compiled server in a process, which is killed at the end of the test if it still runs. */
  async serve(env: Environment = {}): Promise<ServerProcess> {
    const server = new ServerProcess(this.#harness.name, { REDIS_URL: this.redis.url, ...env });
    this.#servers.push(server);
    await server.listening();
    return server;
  }

  async open(): Promise<void> {
    this.#redis = await startRedis();
  }

  async reset(): Promise<void> {
    if (this.redis.status !== 'running') await this.redis.restart();
    await this.redis.adminCommand('FLUSHALL');
  }

  async closeApps(): Promise<void> {
    const closed = this.#apps.splice(0).map((app) => app.close());
    await Promise.all([...closed, ...this.#servers.splice(0).map((server) => server.kill())]);
  }

  async closeAllBut(kept: TemplateApp): Promise<void> {
    const others = this.#apps.filter((app) => app !== kept);
    this.#apps = [kept];
    await Promise.all(others.map((app) => app.close()));
  }

  async close(): Promise<void> {
    await this.#redis?.stop();
  }
}

export type Client = ReturnType<typeof supertest>;

/** Called in a `describe` block: each of its tests begins with an empty Redis and leaves nothing behind. */
export function useBench(harness: TemplateHarness): Bench {
  const bench = new Bench(harness);
  beforeAll(() => bench.open());
  afterAll(() => bench.close());
  useLeakCheck(() => [bench.redis]);
  beforeEach(() => bench.reset());
  afterEach(() => bench.closeApps());
  return bench;
}
