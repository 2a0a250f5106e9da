import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import type { Routes, Testbed } from './testbed.js';

/** A client that has its response has not hung up, whatever it does next. */
export function noHangUp(bed: Testbed): void {
  const routes: Routes = {
    '/hit': ({ redis }) => redis.incr('hits'),
    '/large': async ({ redis }) => [await redis.incr('hits'), 'x'.repeat(1_000_000)],
  };

  test('answers over a kept connection that the client closes later are no hang-ups', async () => {
    const app = await bed.start(routes);
    const visitor = app.visit('/hit');
    for (let hits = 1; hits <= 3; hits += 1) {
      await waitUntil(() => bodiesOf(visitor.received) === hits, { what: `answer ${hits} is there` });
      if (hits < 3) visitor.request(app.url('/hit'));
    }
    visitor.hangUp();
    await waitUntil(() => visitor.isClosed, { what: 'the connection is closed' });
    await app.close();
    expect(app.pool.stats().hangUps).toBe(0);
  });

  test.each(['/hit', '/large'])('nor is closing right after the last byte: %s', async (path) => {
    const app = await bed.start(routes);
    for (let round = 0; round < 50; round += 1) {
      const visitor = app.visit(path);
      visitor.onData((received) => {
        if (isWhole(received)) visitor.hangUp();
      });
      await waitUntil(() => visitor.isClosed, { what: `client ${round} has closed` });
    }
    await app.close();
    expect(await bed.server.adminCommand('GET', 'hits')).toBe('50');
    expect(app.pool.stats().hangUps).toBe(0);
  });

  test('one that leaves in the middle of the answer has hung up', async () => {
    const app = await bed.start({
      '/stream': async ({ redis, response }) => {
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.write(`${await redis.incr('hits')}`);
        await new Promise((resolve) => response.once('close', resolve));
      },
    });
    const visitor = app.visit('/stream');
    visitor.onData(() => visitor.hangUp());
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
  });
}

function bodiesOf(received: string): number {
  return received.match(/HTTP\/1\.1 200[\s\S]*?\r\n\r\n\d/g)?.length ?? 0;
}

function isWhole(received: string): boolean {
  const at = received.indexOf('\r\n\r\n');
  const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
  return at >= 0 && received.length - at - 4 >= length;
}
