import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { redisPool } from '@redis-pool/express';
import express from 'express';
import { loadWithSockets } from './http/socket-load.js';
import { median, medianRatio } from './results/median.js';

const ROUNDS = 21;
const WINDOW_MS = 1_000;
const CONNECTIONS = 10;
const VARIANTS = ['without', 'an empty middleware', 'with redisPool()', 'and closeWith()'] as const;

interface Ports {
  readonly ports: readonly number[];
}

/**
 * What the Express middleware costs a route that does not use it, in CPU time of the server per request. All variants
 * are in one process and take turns, so that what else the machine does meets all of them. Needs no Redis.
 */
if (process.send === undefined) await measure();
else await serve();

async function serve(): Promise<void> {
  const ports: number[] = [];
  for (const variant of VARIANTS) {
    const app = express();
    const server = createServer(app);
    const redis = redisPool({ name: variant.replace(/\W+/g, '-') });
    if (variant === 'an empty middleware') app.use((_req, _res, next) => next());
    if (variant === 'with redisPool()' || variant === 'and closeWith()') app.use(redis);
    if (variant === 'and closeWith()') redis.closeWith(server, { signals: [] });
    app.get('/', (_req, res) => void res.json({ hello: 'world' }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  process.on('message', () => process.send?.(process.cpuUsage()));
  process.once('disconnect', () => process.exit());
  process.send?.({ ports });
}

async function measure(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url));
  const [{ ports }] = (await once(child, 'message')) as [Ports];
  const cpuUs = async (): Promise<number> => {
    child.send('cpu');
    const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
    return user + system;
  };
  const results: number[][] = VARIANTS.map(() => []);
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const [index, port] of ports.entries()) {
      const before = await cpuUs();
      const order = {
        generator: 'sockets',
        port,
        path: '/',
        connections: CONNECTIONS,
        windowMs: WINDOW_MS,
      } as const;
      const { requests } = await loadWithSockets(order);
      // The first round is to warm up.
      if (round >= 0) results[index]?.push(((await cpuUs()) - before) / requests);
    }
  }
  child.disconnect();
  report(results);
}

function report(results: readonly (readonly number[])[]): void {
  for (const [index, variant] of VARIANTS.entries()) {
    const values = results[index] ?? [];
    const added = (medianRatio(values, results[0] ?? []) - 1) * 100;
    console.log(`${variant.padEnd(20)} ${median(values).toFixed(2)} us  ${added.toFixed(2)} %`);
  }
}
