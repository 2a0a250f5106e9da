import { ConsoleLogger, type LoggerService } from '@nestjs/common';
import { RedisPool } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RedisPoolModule, type RedisPoolModuleOptions } from '../src/index.js';
import { NestApps, STACKS } from './apps.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = new NestApps();
afterEach(async () => {
  if (server.status !== 'running') await server.restart();
});

interface Line {
  readonly level: string;
  readonly text: string;
}

/** A logger of the application, which keeps what comes from the pool. */
function collect(): { lines: Line[]; logger: LoggerService } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (text: string, ...rest: unknown[]): void => {
      if (rest.at(-1) === 'RedisPool') lines.push({ level, text });
    };
  return { lines, logger: { log: at('log'), error: at('error'), warn: at('warn'), debug: at('debug') } };
}

function start(options: RedisPoolModuleOptions, logger: LoggerService) {
  const [, stack] = STACKS[0] as (typeof STACKS)[number];
  return apps.listen(stack, { imports: [RedisPoolModule.forRoot(options)] }, { logger });
}

test("the pool reports to Nest's logger, under its own context, one line each", async () => {
  const { lines, logger } = collect();
  const { app } = await start({ url: server.url }, logger);
  await app.close();
  expect(lines).toEqual([
    { level: 'log', text: expect.stringContaining(`"default" is connected to 127.0.0.1:${server.port}`) },
    { level: 'log', text: expect.stringMatching(/"default" is closed \{ durationMs: .* \}$/) },
  ]);
});

test('an outage at startup is one warning, however many attempts there are', async () => {
  await server.kill();
  const { lines, logger } = collect();
  const reconnect = { minDelayMs: 1, maxDelayMs: 5 };
  const { app } = await start({ url: server.url, startup: 'optional', reconnect }, logger);
  const pool = app.get(RedisPool);
  await waitUntil(() => pool.stats().connectAttempts > 10, { what: 'many attempts have failed' });
  await app.close();
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
});

test('an error comes with its stack', async () => {
  const printed: string[] = [];
  class Printer extends ConsoleLogger {
    protected override printMessages(messages: unknown[]) {
      printed.push(messages.join(' '));
    }
    protected override printStackTrace(stack: string) {
      printed.push(stack);
    }
  }
  const close = (): never => {
    throw new Error('Could not say goodbye');
  };
  const { app } = await start({ url: server.url, hooks: { close } }, new Printer());
  await app.close();
  const text = printed.join('\n');
  expect(text).toContain('A hook of Redis pool "default" failed while closing');
  expect(text).toContain('Error: Could not say goodbye\n    at ');
});

test('a logger of its own takes precedence', async () => {
  const { lines, logger } = collect();
  const messages: string[] = [];
  const note = (_fields: object, message: string) => messages.push(message);
  const own = { debug: note, info: note, warn: note, error: note };
  const { app } = await start({ url: server.url, logger: own }, logger);
  await app.close();
  expect(messages).toHaveLength(2);
  expect(lines).toEqual([]);
});
