import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import { Gate, outcomeOf } from './outcome.js';
import type { Lease } from './redis-shape.js';
import { TestRequest } from './test-request.js';
import type { Testbed } from './testbed.js';

/** `onHangUp: 'finish'`: only what would wait for a client that is gone is cut. */
export function hangUpFinish(bed: Testbed): void {
  test('a parked BLPOP is cut when the client hangs up, and what comes later stays in the list', async () => {
    const request = new TestRequest(({ redis }) => redis.blpop('queue', 0));
    const app = await bed.start({ '/': request.handle });
    const visitor = app.visit('/');
    await bed.untilParked(1);
    visitor.hangUp();
    expect((await request.outcome).error).toMatchObject({ name: 'AbortError' });
    await bed.untilParked(0);
    await app.pool.rpush('queue', 'element');
    expect(await app.pool.lpop('queue')).toBe('element');
    // Its connection comes back when the UNBLOCK that is still under way is answered.
    await waitUntil(() => app.pool.stats().leases.leased === 0, { what: 'the lease is back' });
    expect(app.pool.stats()).toMatchObject({ hangUps: 1, leases: { leased: 0, blocking: 0 } });
  });

  test('an element that comes in the moment of the hang-up is handed over or stays: none is lost', async () => {
    let popped = 0;
    const done: Promise<unknown>[] = [];
    const app = await bed.start({
      '/': ({ redis }) => {
        const pop = redis.blpop('queue', 0).then(
          () => {
            popped += 1;
          },
          () => {},
        );
        done.push(pop);
        return pop;
      },
    });
    const rounds = 60;
    for (let round = 0; round < rounds; round += 1) {
      const visitor = app.visit('/');
      await bed.untilParked(1);
      // Before, in and after the same turn of the event loop.
      const push = (): Promise<unknown> => app.pool.rpush('queue', 'element');
      if (round % 3 === 0) visitor.hangUp();
      const pushed = round % 3 === 2 ? new Promise(setImmediate).then(push) : push();
      if (round % 3 !== 0) visitor.hangUp();
      await pushed;
      await Promise.all(done);
      await bed.untilParked(0);
      const left = Number(await bed.server.adminCommand('LLEN', 'queue'));
      expect(popped + left, `after round ${round}`).toBe(1);
      popped = 0;
      await app.pool.del('queue');
    }
  });

  test('a subscription ends when the client hangs up, and leaves the server', async () => {
    const request = new TestRequest(async ({ redis }) => {
      const subscription = await redis.subscribe('news');
      const seen: string[] = [];
      for await (const { message } of subscription) seen.push(message);
      return seen;
    });
    const app = await bed.start({ '/': request.handle });
    const visitor = app.visit('/');
    await bed.untilSubscribed('news', 1);
    visitor.hangUp();
    await request.outcome;
    await bed.untilSubscribed('news', 0);
  });

  test('ordinary commands go on: an operation of several steps is completed', async () => {
    const gate = new Gate();
    const request = new TestRequest(async ({ redis }) => {
      await redis.set('stock', 41);
      await gate.pass();
      await redis.incr('stock');
      await redis.pipeline().set('order', 'placed').exec();
      await redis.multi().incr('orders').incr('orders').exec();
      return redis.lease((lease) => lease.get('stock'));
    });
    const app = await bed.start({ '/': request.handle });
    const visitor = app.visit('/');
    await waitUntil(() => gate.entered === 1, { what: 'the first step is done' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
    gate.open();
    expect(await request.outcome).toEqual({ value: '42' });
    expect(await app.pool.get('order')).toBe('placed');
    expect(await app.pool.get('orders')).toBe('2');
  });

  test('so does a command that waits for a connection', async () => {
    const proxy = await bed.startProxy();
    const request = new TestRequest(({ redis }) => redis.set('key', 'written'));
    const app = await bed.start({ '/': request.handle }, { url: proxy.url, reconnect: { maxDelayMs: 50 } });
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => app.pool.status === 'degraded', { what: 'the pool has lost its connection' });
    const visitor = app.visit('/');
    await waitUntil(() => app.pool.stats().waitingForConnection === 1, { what: 'the command waits' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
    await proxy.heal();
    expect(await request.outcome).toEqual({ value: 'OK' });
  });

  test('a BLPOP or a subscription after the hang-up is refused at once', async () => {
    const gate = new Gate();
    const request = new TestRequest(async ({ redis }) => {
      await redis.ping();
      await gate.pass();
      return Promise.all([
        outcomeOf(redis.blpop('queue', 0)),
        outcomeOf(redis.subscribe('news')),
        outcomeOf(redis.lease((lease) => lease.blpop('queue', 0))),
        outcomeOf(redis.ping()),
      ]);
    });
    const app = await bed.start({ '/': request.handle });
    const visitor = app.visit('/');
    await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
    gate.open();
    const aborted = { error: expect.objectContaining({ name: 'AbortError' }) };
    expect(await request.outcome).toEqual({ value: [aborted, aborted, aborted, { value: 'PONG' }] });
    await bed.untilParked(0);
    await bed.untilSubscribed('news', 0);
  });

  test('the same holds where Redis is first used after the hang-up', async () => {
    const gate = new Gate();
    const request = new TestRequest(async (exchange) => {
      await gate.pass();
      const { redis } = exchange;
      return [await redis.ping(), await outcomeOf(redis.blpop('queue', 0))];
    });
    const app = await bed.start({ '/': request.handle });
    const visitor = app.visit('/');
    await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
    visitor.hangUp();
    await request.closed;
    gate.open();
    const aborted = { error: expect.objectContaining({ name: 'AbortError' }) };
    expect(await request.outcome).toEqual({ value: ['PONG', aborted] });
    expect(app.pool.stats().hangUps).toBe(1);
  });

  test('who waits for a lease stays in the queue, and gets it', async () => {
    const request = new TestRequest(({ redis }) => redis.lease((lease) => lease.set('key', 'written')));
    const app = await bed.start({ '/': request.handle }, { maxConnections: 2 });
    const lease = await app.pool.acquire();
    const visitor = app.visit('/');
    await waitUntil(() => app.pool.stats().leases.waiting === 1, { what: 'the request waits for a lease' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
    expect(app.pool.stats().leases.waiting).toBe(1);
    await lease.release();
    expect(await request.outcome).toEqual({ value: 'OK' });
  });

  test('a lease stays with its handler: what is parked on it is cut, the rest goes on', async () => {
    let held: Lease | undefined;
    const request = new TestRequest(async ({ redis }) => {
      const lease = await redis.acquire();
      held = lease;
      const cut = await outcomeOf(lease.blpop('queue', 0));
      const reply = await lease.set('key', 'written');
      await lease.release();
      return [cut.error?.name, reply];
    });
    const app = await bed.start({ '/': request.handle });
    const visitor = app.visit('/');
    await bed.untilParked(1);
    visitor.hangUp();
    expect(await request.outcome).toEqual({ value: ['AbortError', 'OK'] });
    expect(held?.released).toBe(true);
    expect(app.pool.stats()).toMatchObject({ forgottenLeases: 0, leases: { leased: 0, idle: 1 } });
  });
}
