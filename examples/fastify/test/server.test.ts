import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestRedis, type TestRedis } from './redis.js';

// As it runs in production: after `npm run build`.
const SERVER = fileURLToPath(new URL('../dist/server.js', import.meta.url));

let redis: TestRedis;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());

test.each(['SIGTERM', 'SIGINT'] as const)(
  'the server answers over a socket, and %s ends it in order',
  async (signal) => {
    const env = { ...process.env, REDIS_URL: redis.url, PORT: '0' };
    const child = spawn(process.execPath, [SERVER], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const url = await listeningUrl(createInterface(child.stdout));
    const headers = { connection: 'close' };
    const values = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const answer = await fetch(`${url}/counter/${signal}`, { method: 'POST', headers });
        return ((await answer.json()) as { value: number }).value;
      }),
    );
    expect(Math.max(...values)).toBe(20);
    expect(await redis.clients()).toHaveLength(1);
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
    expect(await redis.clients()).toHaveLength(0);
  },
);

async function listeningUrl(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const url = /Server listening at (http:\/\/[^"]+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('The server ended without listening');
}
