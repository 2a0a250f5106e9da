import { spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import timers from 'node:timers';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { leakCheck, type RedisServer, startRedis } from '../src/index.js';
import { RawClient } from './raw-client.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** The message of a leak check around `leak`, '' without one. */
async function messageOf(leak: () => unknown, timeoutMs = 100): Promise<string> {
  const check = leakCheck({ servers: () => [server], timeoutMs });
  await check.before();
  await leak();
  return check.after().then(
    () => '',
    (error: Error) => error.message,
  );
}

/** Vitest's own listener would count the event as an error of the run. */
function silenceVitest(event: 'unhandledRejection' | 'uncaughtException'): void {
  const listeners = process.listeners(event as 'uncaughtException');
  process.removeAllListeners(event);
  onTestFinished(() => {
    for (const listener of listeners) process.on(event as 'uncaughtException', listener);
  });
}

describe('a clean test passes', () => {
  test('that does nothing', async () => {
    expect(await messageOf(() => {})).toBe('');
  });

  test('that closes what it opened, also when that takes a moment', async () => {
    const clean = async () => {
      const client = await RawClient.open(server.port);
      await client.ask('CLIENT SETNAME shop:lane', '+OK\r\n');
      setTimeout(() => client.close(), 150);
    };
    expect(await messageOf(clean, 2_000)).toBe('');
  });

  test('that ends its timers, or lets them not keep the process alive', async () => {
    const clean = async () => {
      clearTimeout(setTimeout(() => {}, 60_000));
      clearInterval(setInterval(() => {}, 60_000));
      setTimeout(() => {}, 60_000).unref();
      void sleep(60_000, undefined, { ref: false });
      setTimeout(() => {}, 1);
      await sleep(5);
      expect(await promisify(setTimeout)(1, 'promisified')).toBe('promisified');
    };
    expect(await messageOf(clean)).toBe('');
  });

  test('in which a timer from before is made anew', async () => {
    let timer = setTimeout(() => {}, 60_000);
    const renew = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {}, 60_000);
    };
    expect(await messageOf(renew)).toBe('');
    clearTimeout(timer);
  });

  test('that stops, kills and restarts servers', async () => {
    const clean = async () => {
      const other = await startRedis();
      await other.stop();
      await server.kill();
      await server.restart();
    };
    expect(await messageOf(clean, 1_000)).toBe('');
  });

  test('that prints errors of its own and meets deprecations', async () => {
    const original = console.error;
    const lines: unknown[][] = [];
    console.error = (...args) => lines.push(args);
    onTestFinished(() => {
      console.error = original;
    });
    const clean = async () => {
      console.error('a line of %s', 'mine');
      process.emitWarning('old', 'DeprecationWarning');
      await nextTurn();
    };
    expect(await messageOf(clean)).toBe('');
    expect(lines).toEqual([['a line of %s', 'mine']]);
  });
});

describe('a leak is found and named', () => {
  test('a connection on the server, by its name', async () => {
    const before = await RawClient.open(server.port);
    await before.ask('CLIENT SETNAME old:one', '+OK\r\n');
    onTestFinished(() => before.close());
    const message = await messageOf(async () => {
      const client = await RawClient.open(server.port);
      onTestFinished(() => client.close());
      await client.ask('CLIENT SETNAME shop:lane', '+OK\r\n');
    });
    expect(message).toMatch(
      /^The test leaked:\n {2}- connection on port \d+: "shop:lane" \(id \d+, 127\.0\.0\.1:\d+, last command client\|setname\)\n {2}- 1 more TCPSocketWrap than before/,
    );
    expect(message).not.toContain('old:one');
  });

  test('a connection that came with a restart, by its name', async () => {
    const message = await messageOf(async () => {
      await server.restart();
      const client = await RawClient.open(server.port);
      onTestFinished(() => client.close());
      await client.ask('CLIENT SETNAME shop:lane', '+OK\r\n');
    });
    expect(message).toContain('"shop:lane"');
  });

  test('a server that was left frozen', async () => {
    const message = await messageOf(() => server.freeze());
    server.thaw();
    await server.waitUntilReady();
    expect(message).toMatch(/- server on port \d+ was left frozen/);
  });

  test('a server that was not stopped', async () => {
    const message = await messageOf(async () => {
      const other = await startRedis();
      onTestFinished(() => other.stop());
    });
    expect(message).toMatch(/1 more PipeWrap than before/);
    expect(message).toMatch(/1 more ProcessWrap than before/);
  });

  test('a listener and a socket', async () => {
    const listener = createServer();
    const sockets: Socket[] = [];
    const message = await messageOf(async () => {
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      listener.on('connection', (socket) => sockets.push(socket));
      const client = await RawClient.open((listener.address() as { port: number }).port);
      onTestFinished(() => client.close());
    });
    for (const socket of sockets) socket.destroy();
    listener.close();
    expect(message).toContain('1 more TCPServerWrap than before');
    expect(message).toMatch(/[12] more TCPSocketWrap than before/);
  });

  test.each([
    ['setTimeout', () => setTimeout(() => {}, 61_000)],
    ['setInterval', () => setInterval(() => {}, 61_000)],
    ['setTimeout of node:timers', () => timers.setTimeout(() => {}, 61_000)],
  ])('a timer: %s, with the place', async (_, leak) => {
    let timer: NodeJS.Timeout | undefined;
    const message = await messageOf(() => {
      timer = leak();
    });
    clearTimeout(timer);
    expect(message).toMatch(
      /^The test leaked:\n {2}- timer of 61000 ms, made at .*leak-check\.test\.ts:\d+:\d+\)?$/,
    );
  });

  test('a sleep', async () => {
    const waking = new AbortController();
    const message = await messageOf(() => {
      sleep(61_000, undefined, { signal: waking.signal }).catch(() => {});
    });
    waking.abort();
    expect(message).toMatch(/- timer of 61000 ms, made at .*leak-check\.test\.ts/);
  });

  test('a child process', async () => {
    const message = await messageOf(() => {
      const leaked = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
      onTestFinished(() => void leaked.kill('SIGKILL'));
    });
    expect(message).toMatch(/more ProcessWrap than before/);
  });

  test('an unhandled rejection, also of the last moment', async () => {
    silenceVitest('unhandledRejection');
    const message = await messageOf(() => {
      void Promise.reject(new Error('nobody cares'));
    });
    expect(message).toMatch(/unhandledRejection: Error: nobody cares/);
  });

  test('an uncaught exception', async () => {
    silenceVitest('uncaughtException');
    const message = await messageOf(async () => {
      setImmediate(() => {
        throw new Error('out of nowhere');
      });
      await nextTurn();
      await nextTurn();
    });
    expect(message).toMatch(/uncaughtException: Error: out of nowhere/);
  });

  test('too many listeners', async () => {
    const onExit = () => {};
    const message = await messageOf(() => {
      for (let count = 0; count <= process.getMaxListeners(); count++) process.on('exit', onExit);
    });
    for (let count = 0; count <= process.getMaxListeners(); count++) process.off('exit', onExit);
    expect(message).toContain('MaxListenersExceededWarning: Possible EventEmitter memory leak detected');
  });

  test('a line of ioredis about an error that nobody listened to', async () => {
    const message = await messageOf(() => console.error('[ioredis] Unhandled error event:', 'ECONNRESET'));
    expect(message).toContain('console.error: [ioredis] Unhandled error event: ECONNRESET');
  });
});

test('a check leaves no listener of its own, also after a failure', async () => {
  const counts = () => [
    process.listenerCount('unhandledRejection'),
    process.listenerCount('uncaughtException'),
    process.listenerCount('warning'),
    console.error,
  ];
  const before = counts();
  await messageOf(() => console.error('[ioredis] on purpose'));
  expect(counts()).toEqual(before);
});
