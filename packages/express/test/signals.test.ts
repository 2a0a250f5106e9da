import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { useApps } from './apps.js';
import { get } from './http.js';
import { KeepAliveLoad } from './keep-alive-load.js';
import { RawClient } from './raw-client.js';
import { ServerProcess } from './server-process.js';

const CONNECTIONS = 20;
const STREAMS = 3;

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = useApps();
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
});

describe.each(['express', 'express4'])('a process with %s', (EXPRESS) => {
  function start(env: Readonly<Record<string, string>> = {}): ServerProcess {
    const child = new ServerProcess({ EXPRESS, REDIS_URL: server.url, ...env });
    apps.later(() => child.abandon());
    return child;
  }

  async function openStreams(url: string): Promise<RawClient[]> {
    const streams = Array.from({ length: STREAMS }, () => new RawClient(url));
    apps.later(async () => {
      for (const stream of streams) stream.hangUp();
    });
    for (const stream of streams) stream.send('/events');
    await Promise.all(streams.map((stream) => stream.until('200 OK')));
    return streams;
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s under load ends it in order, with exit code 0',
    async (signal) => {
      const child = start();
      const url = await child.url();
      const streams = await openStreams(url);
      const paths = Array.from({ length: CONNECTIONS }, (_, index) => (index % 2 === 0 ? '/work' : '/plain'));
      const load = new KeepAliveLoad(paths.map((path) => url + path));
      await waitUntil(() => load.count > 10 * CONNECTIONS, { what: 'the load is on' });
      const startedAt = performance.now();
      child.signal(signal);
      expect(await child.exited()).toBe(0);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      await load.ended();
      expect(await child.told('report')).toMatchObject({ drained: true, cutCommands: 0, cutRequests: 0 });
      expect(await child.told('worker')).toBe('ended');
      // Every request that the server has seen has its whole answer.
      const { begun, answered } = await child.told('seen');
      expect(answered).toBe(begun);
      expect([...load.answers.keys()]).toEqual([200]);
      expect([load.broken, load.count + STREAMS]).toEqual([0, begun]);
      for (const { received } of streams) expect(received.endsWith('0\r\n\r\n')).toBe(true);
    },
  );

  test('a second signal ends it at once, as that signal does', async () => {
    const child = start();
    const url = await child.url();
    const never = new RawClient(url);
    apps.later(async () => never.hangUp());
    never.send('/never');
    await child.told('never');
    child.signal('SIGTERM');
    expect(await child.told('worker')).toBe('ended');
    child.signal('SIGINT');
    expect(await child.exited()).toBe('SIGINT');
  });

  test('with Redis frozen it ends inside its budget, and tells what it has cut', async () => {
    const child = start({ TIMEOUT_MS: '1500' });
    const url = await child.url();
    await get(`${url}/work`);
    const streams = await openStreams(url);
    server.freeze();
    const answers = Array.from({ length: 5 }, () => get(`${url}/work`));
    answers.push(get(`${url}/plain`));
    // The server takes connections in their order: this one is the last.
    await answers.at(-1);
    const startedAt = performance.now();
    child.signal('SIGTERM');
    expect(await child.exited()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(2_200);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual([503, 503, 503, 503, 503, 200]);
    expect(await child.told('report')).toMatchObject({ drained: false, cutCommands: 5, cutRequests: 0 });
    for (const { received } of streams) expect(received.endsWith('0\r\n\r\n')).toBe(true);
  });
});
