import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../fault-proxy.js';
import { type RedisServer, startRedis } from '../redis-server.js';
import { useLeakCheck } from '../vitest.js';
import { waitUntil } from '../wait-until.js';
import type { AdapterHarness, ContractApp, ContractExchange } from './harness.js';
import { get, type HttpAnswer, Visitor } from './http-client.js';
import type { Pool, RequestRedis } from './redis-shape.js';

/** What a route of a test sees. */
export interface Exchange extends Omit<ContractExchange, 'redis'> {
  readonly redis: RequestRedis;
}

/** Handlers by path. */
export type Routes = Readonly<Record<string, (exchange: Exchange) => unknown>>;

/** A started application, and clients of it. */
export class TestApp {
  readonly #app: ContractApp;
  readonly #visitors: Visitor[] = [];

  constructor(app: ContractApp) {
    this.#app = app;
  }

  get(path: string): Promise<HttpAnswer> {
    return get(this.#app.url + path);
  }

  /** A client that calls and may leave; after the test it has left. */
  visit(path: string): Visitor {
    const visitor = new Visitor(this.#app.url + path);
    this.#visitors.push(visitor);
    return visitor;
  }

  url(path: string): string {
    return this.#app.url + path;
  }

  get pool(): Pool {
    return this.poolOf();
  }

  poolOf(namespace?: string): Pool {
    return this.#app.pool(namespace) as Pool;
  }

  close(): Promise<void> {
    return this.#app.close();
  }

  /** Ends it also when its test failed. */
  async abandon(): Promise<void> {
    for (const visitor of this.#visitors) visitor.hangUp();
    await this.close();
    await waitUntil(() => this.#visitors.every(({ isClosed }) => isClosed), {
      what: 'the connections of all clients are closed',
    });
  }
}

/** A redis-server, and applications of one framework that are closed after each test. */
export class Testbed {
  readonly harness: AdapterHarness;
  /** What the applications of the test have logged. */
  readonly log: string[] = [];
  #server: RedisServer | undefined;
  #proxy: FaultProxy | undefined;
  readonly #apps: TestApp[] = [];

  constructor(harness: AdapterHarness) {
    this.harness = harness;
    useLeakCheck(() => [this.server]);
    beforeAll(async () => {
      this.#server = await startRedis();
    });
    afterAll(() => this.#server?.stop());
    beforeEach(() => this.server.adminCommand('FLUSHALL'));
    afterEach(() => this.#clear());
  }

  get server(): RedisServer {
    if (this.#server === undefined) throw new Error('There is no server yet');
    return this.#server;
  }

  /** Between the pools and the server, for pools whose `url` is that of the proxy; closed after the test. */
  async startProxy(): Promise<FaultProxy> {
    this.#proxy ??= await startFaultProxy({ target: this.server });
    return this.#proxy;
  }

  /** An application with a pool for each of `pools`; their `url` is that of the server unless given. */
  async start(routes: Routes, ...pools: readonly object[]): Promise<TestApp> {
    const withUrl = (pools.length === 0 ? [{}] : pools).map((options) => ({
      url: this.server.url,
      ...options,
    }));
    const app = await this.harness.start({
      pools: withUrl,
      routes: Object.entries(routes).map(([path, handle]) => ({
        path,
        handle: (exchange) => handle(exchange as Exchange),
      })),
      log: (line) => this.log.push(line),
    });
    const started = new TestApp(app);
    this.#apps.push(started);
    return started;
  }

  /** The error that a start fails with. */
  async failedStart(...pools: readonly object[]): Promise<Error & { readonly code?: string }> {
    const outcome = await this.start({}, ...pools).catch((error: unknown) => error);
    expect(outcome, 'the start has to fail').toBeInstanceOf(Error);
    return outcome as Error;
  }

  /** The names of the connections at the server. */
  async connectionNames(): Promise<string[]> {
    return (await this.server.clients()).map(({ name }) => name).sort();
  }

  /** Resolves when so many clients wait at the server. */
  async untilParked(count: number): Promise<void> {
    const parked = async (): Promise<boolean> => {
      const info = String(await this.server.adminCommand('INFO', 'clients'));
      return Number(/^blocked_clients:(\d+)/m.exec(info)?.[1]) === count;
    };
    await waitUntil(parked, { what: `${count} clients wait at the server` });
  }

  /** Resolves when so many subscribers of the channel are left at the server. */
  async untilSubscribed(channel: string, count: number): Promise<void> {
    const subscribed = async (): Promise<boolean> => {
      const [, number] = (await this.server.adminCommand('PUBSUB', 'NUMSUB', channel)) as [string, number];
      return Number(number) === count;
    };
    await waitUntil(subscribed, { what: `${count} subscribers of ${channel} are left` });
  }

  async #clear(): Promise<void> {
    if (this.server.status === 'frozen') this.server.thaw();
    await Promise.all(this.#apps.splice(0).map((app) => app.abandon()));
    await this.#proxy?.close();
    this.#proxy = undefined;
    if (this.server.status === 'exited') await this.server.restart();
    this.log.splice(0);
  }
}
