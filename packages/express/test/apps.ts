import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import express4 from 'express4';
import { afterEach } from 'vitest';
import { type RedisMiddleware, type RedisPoolMiddlewareOptions, redisPool } from '../src/index.js';

/** The versions of Express that every test runs with. */
export const MAJORS: readonly (readonly [name: string, express: () => Express])[] = [
  ['express 5', express],
  ['express 4', express4],
];

/** What the tests of a file make, closed after each of them, also when it failed. */
export class Apps {
  readonly #closers: (() => Promise<unknown>)[] = [];

  pool(options: RedisPoolMiddlewareOptions): RedisMiddleware {
    const redis = redisPool(options);
    this.later(() => redis.close({ timeoutMs: 100 }));
    return redis;
  }

  /** Resolves with the address of the application. */
  async listen(app: Express): Promise<{ readonly url: string; readonly server: Server }> {
    const server = app.listen(0, '127.0.0.1');
    this.later(() => closeServer(server));
    return { url: await urlOf(server), server };
  }

  later(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }
}

/** Call it after `useLeakCheck()`. */
export function useApps(): Apps {
  const apps = new Apps();
  afterEach(() => apps.close());
  return apps;
}

export async function urlOf(server: Server): Promise<string> {
  if (!server.listening) await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
