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

test.each(
  ['express', 'express4'].flatMap((express) => [
    [express, "require('@redis-pool/express').redisPool"],
    [express, "require('@redis-pool/express').default"],
  ]),
)('CommonJS can mount it in %s: %s', async (express, middleware) => {
  const output = await run(`
      const redis = ${middleware}();
      const app = require('${express}')();
      app.use(redis);
      app.get('/', (req, res) => req.redis.ping().then((pong) => res.send(pong)));
      const server = app.listen(0, '127.0.0.1', async () => {
        const closing = redis.closeWith(server);
        const answer = await fetch('http://127.0.0.1:' + server.address().port);
        console.log(await answer.text());
        await closing.close();
      });
    `);
  expect(output).toBe('PONG');
});
