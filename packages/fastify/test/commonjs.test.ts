import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';

// With this as its place, the package finds itself by its name, as an application finds it.
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);

async function run(program: string): Promise<string> {
  const env = { ...process.env, REDIS_URL: server.url };
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: PACKAGE, env });
  return stdout.trim();
}

test.each([
  "require('@redis-pool/fastify').redisPool",
  "require('@redis-pool/fastify').default",
  "require('@redis-pool/fastify')",
])('CommonJS can register %s', async (plugin) => {
  const output = await run(`
      const app = require('fastify')();
      app.register(${plugin}, { startup: 'require' });
      app.get('/', (request) => request.redis.ping());
      app.inject('/').then(({ body }) => { console.log(body); return app.close(); });
    `);
  expect(output).toBe('PONG');
});
