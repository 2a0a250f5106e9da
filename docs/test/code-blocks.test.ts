import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside this package, so that the blocks find the packages they import.
const scratch = join(root, 'docs', '.cache', `blocks-${process.pid}`);

interface Block {
  readonly page: string;
  readonly line: number;
  readonly code: string;
}

/** What the blocks about NestJS take for granted. */
const NEST = `
import 'reflect-metadata';
import { Catch, Controller, Get, Inject, Injectable, Module, Sse } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { isRedisPoolError } from '@redis-pool/core';
import { InjectRedis, RedisPoolExceptionFilter, RedisPoolModule, ReqRedis } from '@redis-pool/nestjs';
import { from, map } from 'rxjs';
`;

/**
 * `ts with pool`: the block needs a pool, which the reader has from the page; `ts with app`, a Fastify application;
 * `ts with server`, an Express application, its server and its middleware.
 * `ts with nest`: it is an `AppModule`; `ts with main`: it starts the application of one, with the log.
 */
const PRELUDES: Record<string, readonly [before: string, after: string]> = {
  '': ['', ''],
  'with pool': [
    "import { createRedisPool } from '@redis-pool/core';\nconst pool = createRedisPool({ url: process.env.REDIS_URL });\n",
    '\nawait pool.close();\n',
  ],
  'with app': [
    "import redisPool from '@redis-pool/fastify';\nimport Fastify from 'fastify';\nconst app = Fastify();\nawait app.register(redisPool, { url: process.env.REDIS_URL });\n",
    '\nawait app.ready();\nawait app.close();\n',
  ],
  'with server': [
    "import { redisPool } from '@redis-pool/express';\nimport express from 'express';\nconst app = express();\nconst redis = redisPool({ url: process.env.REDIS_URL });\napp.use(redis);\nconst server = app.listen(0);\n",
    '\nawait redis.close();\nserver.close();\n',
  ],
  'with nest': [
    NEST,
    '\nconst app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });\nawait app.init();\nawait app.close();\n',
  ],
  'with main': [
    "import { Logger } from '@nestjs/common';\nLogger.overrideLogger(false);\n",
    '\nawait app.close();\n',
  ],
};

async function pages(): Promise<string[]> {
  const list = async (folder: string) =>
    (await readdir(join(root, folder)))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name));
  const packages = (await readdir(join(root, 'packages'))).map((name) => join('packages', name));
  const readmes = await Promise.all(packages.map(list));
  return ['README.md', ...(await list('docs')), ...readmes.flat()].filter(
    (page) => !page.includes('CHANGELOG'),
  );
}

/** A `program` runs until it is told to end: the test of its package starts it as a process. */
async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```(?:ts|js)(?: (with \w+))?\n([\s\S]*?)^```$/gm)].map((match) => {
    const [before, after] = PRELUDES[match[1] ?? ''] as readonly [string, string];
    const line = text.slice(0, match.index).split('\n').length;
    return { page, line, code: `${before}${match[2]}${after}\nexport {};\n` };
  });
}

const blocks = (await Promise.all((await pages()).map(blocksOf))).flat();
let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
  process.env.REDIS_URL = server.url;
  process.env.PORT = '0';
  await mkdir(scratch, { recursive: true });
});

afterAll(async () => {
  delete process.env.REDIS_URL;
  delete process.env.PORT;
  await rm(scratch, { recursive: true, force: true });
  await server.stop();
});

describe('code blocks of the documentation', () => {
  useLeakCheck(() => [server]);

  it('are found', () => {
    expect(blocks.map(({ page }) => page)).toContain('README.md');
    expect(blocks.length).toBeGreaterThan(3);
  });

  it.each(blocks.map((block) => [`${relative('.', block.page)}:${block.line}`, block] as const))(
    'run to their end: %s',
    async (name, { code }) => {
      await server.adminCommand('FLUSHALL');
      const log = vi.spyOn(console, 'log').mockImplementation(() => {});
      const file = join(scratch, `${name.replace(/\W+/g, '-')}.ts`);
      await writeFile(file, code);
      await import(/* @vite-ignore */ pathToFileURL(file).href);
      log.mockRestore();
    },
  );
});
