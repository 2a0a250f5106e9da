import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { get } from './http.js';

const FIXTURE = fileURLToPath(new URL('fixtures/shutdown-app.cjs', import.meta.url));

/** Where the fixture finds Nest, and this package. */
const NESTS = {
  'nestjs 12': { NEST: path('../package.json'), ADAPTER: '@redis-pool/nestjs' },
  'nestjs 11': { NEST: path('../../nestjs-11/package.json'), ADAPTER: './dist/index.js' },
};

const CLIENTS = 4;

let server: RedisServer;
let running: App | undefined;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
afterEach(async () => {
  await running?.kill();
  running = undefined;
});

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

/** The application as a process. */
class App {
  output = '';
  readonly exited: Promise<unknown[]>;
  readonly #child: ChildProcess;

  constructor(env: Record<string, string>) {
    const settings = { ...process.env, NO_COLOR: '1', REDIS_URL: server.url, ...env };
    const child = spawn(process.execPath, [FIXTURE], { env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.exited = once(child, 'close');
    this.#child = child;
    running = this;
  }

  async url(): Promise<string> {
    await this.until(/^url (.*)$/m);
    return /^url (.*)$/m.exec(this.output)?.[1] ?? '';
  }

  until(pattern: RegExp): Promise<true> {
    return waitUntil(() => pattern.test(this.output), {
      what: `the application says ${pattern}`,
      timeoutMs: 15_000,
    });
  }

  /** Resolves with exit code and signal. */
  end(signal: NodeJS.Signals): Promise<unknown[]> {
    this.#child.kill(signal);
    return this.exited;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}

/** A client of an event stream. */
class Stream {
  received = '';
  readonly ended: Promise<unknown>;
  readonly #socket: Socket;

  constructor(url: string) {
    const { hostname, port, pathname } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    this.#socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.received += chunk;
    });
    this.ended = once(this.#socket, 'close');
    this.#socket.write(`GET ${pathname} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  until(text: string): Promise<true> {
    return waitUntil(() => this.received.includes(text), { what: `the stream has ${text}` });
  }
}

/** What a server that closes answers by itself: with Fastify, calls over connections that it has taken already. */
const CLOSING = { Express: [], Fastify: ['503'] };

/** Calls until the server takes no connection any more; what it answered: a status, and Retry-After if there is one. */
async function callOn(url: string): Promise<string[]> {
  const answers: string[] = [];
  for (let call = 0; call < 10_000; call += 1) {
    try {
      const { status, headers } = await get(url);
      answers.push([status, headers['retry-after'] ?? []].flat().join(', '));
    } catch {
      break;
    }
  }
  return answers;
}

describe.each(Object.entries(NESTS))('%s', (_name, nest) => {
  test.each(['Express', 'Fastify'] as const)(
    'SIGTERM under load, with event streams and a parked worker: all are let go in order, on %s',
    async (PLATFORM) => {
      const app = new App({ ...nest, PLATFORM, HOOKS: 'on' });
      const url = await app.url();
      const streams = [new Stream(`${url}/stream`), new Stream(`${url}/raw`)];
      for (const stream of streams) await stream.until('data: begin\n\n');
      const load = Array.from({ length: CLIENTS }, () => callOn(`${url}/hit`));
      await waitUntil(async () => Number(await server.adminCommand('GET', 'hits')) > 50, {
        what: 'there is load',
      });
      const startedAt = performance.now();
      expect(await app.end('SIGTERM')).toEqual([null, 'SIGTERM']);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      const answers = new Set((await Promise.all(load)).flat());
      for (const answer of CLOSING[PLATFORM]) answers.delete(answer);
      expect([...answers]).toEqual(['200']);
      for (const stream of streams) {
        await stream.ended;
        // Its own last words, and the end of a chunked body: it was not cut.
        expect(stream.received).toMatch(/data: end\n\n\r\n0\r\n\r\n$/);
      }
      expect(app.output).toContain('worker let go, RP_ERR_CLOSING');
      expect(app.output).toContain('worker ended, SIGTERM');
      expect(app.output).toMatch(/"default" is closed \{ .*drained: true, cutCommands: 0, cutLeases: 0\b/);
      expect(app.output).not.toContain('Nothing listens for SIGTERM');
    },
  );
});

test('without shutdown hooks it warns that a SIGTERM would cut everything off', async () => {
  const app = new App({ ...NESTS['nestjs 12'], PLATFORM: 'Express', HOOKS: 'off' });
  await app.until(/WARN.*\[RedisPool\] Nothing listens for SIGTERM: .* Call app\.enableShutdownHooks\(\)/);
  expect(await app.end('SIGTERM')).toEqual([null, 'SIGTERM']);
  expect(app.output).not.toContain('worker ended');
});
