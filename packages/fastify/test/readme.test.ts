import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get } from './http.js';

// With this as its place, the program finds the package by its name.
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);

async function readmeProgram(): Promise<string> {
  const text = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const program = /^```js program\n(.*?)^```/ms.exec(text)?.[1];
  if (program === undefined) throw new Error('The README has no program');
  return program;
}

test('the program of the README serves requests, and SIGTERM ends it', async () => {
  await server.adminCommand('HSET', 'user:7', 'name', 'Ada');
  const env = { ...process.env, REDIS_URL: server.url, PORT: '0' };
  const args = ['--input-type=module', '--eval', await readmeProgram()];
  const child = spawn(process.execPath, args, { cwd: PACKAGE, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const url = await listeningUrl(createInterface(child.stdout));
  expect(JSON.parse((await get(`${url}/user/7`)).body)).toEqual({ name: 'Ada' });
  expect((await get(`${url}/user/8`)).status).toBe(404);
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

async function listeningUrl(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const url = /Server listening at (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('The program ended without listening');
}
