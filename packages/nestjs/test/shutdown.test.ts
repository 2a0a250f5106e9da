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

  until(pattern: RegExp): Promise<void> {
    return waitUntil(() => pattern.test(this.output), { what: `the application says ${pattern}` });
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

  until(text: string): Promise<void> {
    return waitUntil(() => this.received.includes(text), { what: `the stream has ${text}` });
  }
}

/** Calls until the server takes no connection any more; what it answered. */
async function callOn(url: string): Promise<number[]> {
  const statuses: number[] = [];
  for (let call = 0; call < 10_000; call += 1) {
    try {
      statuses.push((await get(url)).status);
    } catch {
      break;
    }
  }
  return statuses;
}

describe.each(Object.entries(NESTS))('%s', (_name, nest) => {
  test.each(['Express', 'Fastify'])(
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
      const statuses = (await Promise.all(load)).flat();
      expect(new Set(statuses)).toEqual(new Set([200]));
      for (const stream of streams) {
        await stream.ended;
        // Its own last words, and the end of a chunked body: it was not cut.
        expect(stream.received).toMatch(/data: end\n\n\r\n0\r\n\r\n$/);
      }
      expect(app.output).toContain('worker let go, RP_ERR_CLOSING');
      expect(app.output).toContain('worker ended, SIGTERM');
      expect(app.output).toMatch(/"default" is closed \{ .*drained: true, cutCommands: 0, cutLeases: 0 \}/);
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
