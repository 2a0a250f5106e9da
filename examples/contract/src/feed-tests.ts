import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { waitUntil } from '@redis-pool/testkit';
import supertest from 'supertest';
import { describe, expect, test } from 'vitest';
import type { Bench } from './bench.js';
import { openEvents } from './event-stream.js';

export function feedTests(bench: Bench): void {
  describe('the feed', () => {
    test('brings what is published to every client, in order', async () => {
      const { url } = await bench.start();
      const streams = await Promise.all([openFeed(url), openFeed(url), openFeed(url)]);
      for (const text of ['one', 'two', 'three\n\ndata: lines']) {
        expect((await supertest(url).post('/feed').send({ text })).status).toBe(204);
      }
      for (const stream of streams) {
        await waitUntil(() => stream.events.length === 3, { what: 'all have come' });
        expect(stream.events.map(({ kind, text }) => [kind, text])).toEqual([
          ['message', 'one'],
          ['message', 'two'],
          ['message', 'three\n\ndata: lines'],
        ]);
        expect(stream.events[0]?.at).toMatch(/^\d{4}-.*Z$/);
      }
      for (const stream of streams) stream.leave();
    });

    test('is an event stream that nobody keeps or collects', async () => {
      const { url } = await bench.start();
      const stream = await openFeed(url);
      expect(stream.response.statusCode).toBe(200);
      expect(stream.response.headers).toMatchObject({
        'content-type': expect.stringMatching(/^text\/event-stream/),
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      stream.leave();
    });

    test('shows that it is alive while there is nothing to tell', async () => {
      const { url } = await bench.start({ HEARTBEAT_MS: '20' });
      const stream = await openFeed(url);
      await waitUntil(() => stream.text.split(': still here').length > 3, { what: 'heartbeats came' });
      stream.leave();
    });

    test('takes one subscription for all clients, and none when the last has left', async () => {
      const { url } = await bench.start();
      const streams = await Promise.all(Array.from({ length: 10 }, () => openFeed(url)));
      expect(await subscribers()).toBe(1);
      for (const stream of streams) stream.leave();
      await waitUntil(async () => (await subscribers()) === 0, { what: 'nobody is subscribed' });
    });

    test('logs no error when a client leaves before it is open', async () => {
      const server = await bench.serve({ RATE_LIMIT: '100000' });
      const url = await server.listening();
      bench.redis.freeze();
      const client = request(`${url}/feed`, { agent: new Agent({ keepAlive: false }) }).on('error', () => {});
      client.end();
      await once(client, 'finish');
      expect((await supertest(url).get('/live')).status).toBe(200);
      client.destroy();
      bench.redis.thaw();
      await waitUntil(async () => (await supertest(url).get('/ready')).status === 200, {
        what: 'it is ready',
      });
      server.signal('SIGTERM');
      expect(await server.exited()).toBe(0);
      expect(server.output).not.toMatch(/"level":(50|"error")|ERROR/);
    });

    test('ends in order when the application closes', async () => {
      const app = await bench.start();
      const streams = await Promise.all(Array.from({ length: 5 }, () => openFeed(app.url)));
      await app.close();
      await waitUntil(() => streams.every(({ ended }) => ended), { what: 'all streams have ended' });
    });

    test('tells a gap when the connection to Redis was lost, and goes on', async () => {
      const { url } = await bench.start();
      const stream = await openFeed(url);
      await bench.redis.restart();
      await waitUntil(() => stream.text.includes('event: gap'), {
        timeoutMs: 15_000,
        what: 'the gap is told',
      });
      await waitUntil(
        async () => (await supertest(url).post('/feed').send({ text: 'after' })).status === 204,
        {
          what: 'it was published',
        },
      );
      await waitUntil(() => stream.events.some(({ text }) => text === 'after'), { what: 'it came' });
      stream.leave();
    });

    test.each([{}, { text: '' }, { text: 'a'.repeat(501) }, { text: ['a'] }])(
      'takes no message like %o',
      async (body) => {
        const client = await bench.client();
        const answer = await client.post('/feed').send(body);
        expect([answer.status, answer.body]).toEqual([400, { error: 'Bad Request', fields: ['text'] }]);
      },
    );
  });

  async function openFeed(url: string) {
    return (await openEvents(url)).opened();
  }

  async function subscribers(): Promise<unknown> {
    const [, count] = (await bench.redis.adminCommand('PUBSUB', 'NUMSUB', 'feed')) as [string, number];
    return count;
  }
}
