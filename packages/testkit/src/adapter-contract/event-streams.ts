import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import type { Routes, Testbed } from './testbed.js';

/** Server-sent events over `req.redis.subscribe()`. */
export function eventStreams(bed: Testbed): void {
  let ended = 0;
  const routes: Routes = {
    '/events': async ({ redis, response }) => {
      const subscription = await redis.subscribe('news');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      try {
        for await (const { message } of subscription) response.write(`data: ${message}\n\n`);
      } finally {
        ended += 1;
        response.end();
      }
    },
    '/late': async ({ redis, response }) => {
      const subscription = await redis.subscribe('news');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      for await (const { message } of subscription) response.write(`data: ${message}\n\n`);
      // It has more to say, when the server is closing already.
      await new Promise((resolve) => setTimeout(resolve, 50));
      response.end('data: late\n\n');
    },
    '/listener': async ({ redis, response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      await redis.subscribe('news', (message) => response.write(`data: ${message}\n\n`));
      await new Promise((resolve) => response.once('close', resolve));
    },
  };

  test.each(['/events', '/listener'])(
    'messages arrive, and the subscription ends when the client leaves: %s',
    async (path) => {
      const app = await bed.start(routes);
      const visitors = [app.visit(path), app.visit(path)];
      await bed.untilSubscribed('news', 1);
      for (const message of ['one', 'two']) {
        await waitUntil(
          async () => {
            await app.pool.publish('news', message);
            return visitors.every(({ received }) => received.includes(`data: ${message}\n`));
          },
          { what: `everybody got ${message}` },
        );
      }
      for (const visitor of visitors) visitor.hangUp();
      await bed.untilSubscribed('news', 0);
      expect(app.pool.stats().hangUps).toBe(2);
    },
  );

  test('streams end when the application closes, which waits for nothing else', async () => {
    const app = await bed.start(routes);
    ended = 0;
    const visitors = [app.visit('/events'), app.visit('/events'), app.visit('/events')];
    await waitUntil(() => visitors.every(({ received }) => received.includes('200 OK')), {
      what: 'the streams have begun',
    });
    const startedAt = performance.now();
    await app.close();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(ended).toBe(3);
    // The end of a chunked body: they were ended, and not cut.
    expect(visitors.map(({ received }) => received.endsWith('0\r\n\r\n'))).toEqual([true, true, true]);
  });

  test('a stream that ends after the server has begun to close does not hold it up with its connection', async () => {
    const app = await bed.start(routes);
    const visitor = app.visit('/late');
    await waitUntil(() => visitor.received.includes('200 OK'), { what: 'the stream has begun' });
    const startedAt = performance.now();
    await app.close();
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(visitor.received).toContain('data: late');
    await waitUntil(() => visitor.isClosed, { what: 'the connection is closed' });
  });
}
