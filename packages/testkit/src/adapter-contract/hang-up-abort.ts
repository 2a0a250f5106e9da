import { expect, test } from 'vitest';
import type { FaultProxy } from '../fault-proxy.js';
import { waitUntil } from '../wait-until.js';
import { Gate, outcomeOf } from './outcome.js';
import { TestRequest } from './test-request.js';
import type { Exchange, TestApp, Testbed } from './testbed.js';

const ABORTED = { error: expect.objectContaining({ name: 'AbortError' }) };

/** `onHangUp: 'abort'`: what need not finish does not. */
export function hangUpAbort(bed: Testbed): void {
  const start = (action: (exchange: Exchange) => unknown, options: object = {}) =>
    bed.start({ '/': action }, { onHangUp: 'abort', ...options });

  /** Commands wait for a connection. */
  async function cutOff(app: TestApp, proxy: FaultProxy): Promise<void> {
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => app.pool.status === 'degraded', { what: 'the pool has lost its connection' });
  }

  test('commands that were not sent are dropped, and never run', async () => {
    const proxy = await bed.startProxy();
    const request = new TestRequest(({ redis }) =>
      Promise.all([
        outcomeOf(redis.set('key', 'written')),
        outcomeOf(redis.get('key')),
        outcomeOf(redis.pipeline().set('key', 'written').exec()),
        outcomeOf(redis.multi().set('key', 'written').exec()),
      ]),
    );
    const app = await start(request.handle, { url: proxy.url, reconnect: { maxDelayMs: 50 } });
    await cutOff(app, proxy);
    const visitor = app.visit('/');
    await waitUntil(() => app.pool.stats().waitingForConnection >= 4, { what: 'the commands wait' });
    visitor.hangUp();
    expect(await request.outcome).toEqual({ value: [ABORTED, ABORTED, ABORTED, ABORTED] });
    await proxy.heal();
    expect(await app.pool.get('key')).toBe(null);
    expect(app.pool.stats()).toMatchObject({ hangUps: 1, pending: { commands: 0, bytes: 0 } });
  });

  test('a write that was sent is left to finish, and its caller gets the reply; a read is not waited for', async () => {
    let isSent = false;
    const request = new TestRequest(async ({ redis }) => {
      const writes = Promise.all([
        outcomeOf(redis.incr('count')),
        outcomeOf(redis.multi().incr('count').exec()),
        outcomeOf(redis.pipeline().incr('count').exec()),
      ]);
      const reading = outcomeOf(redis.get('count'));
      isSent = true;
      const read = await reading;
      const readEndedWhile = bed.server.status;
      bed.server.thaw();
      return { read, readEndedWhile, writes: await writes };
    });
    const app = await start(request.handle);
    bed.server.freeze();
    const visitor = app.visit('/');
    await waitUntil(() => isSent, { what: 'the commands are sent' });
    visitor.hangUp();
    const { value } = await request.outcome;
    expect(value).toEqual({
      read: ABORTED,
      readEndedWhile: 'frozen',
      writes: [{ value: 1 }, { value: [[null, 2]] }, { value: [[null, 3]] }],
    });
  });

  test('who waits for a lease leaves the queue', async () => {
    const request = new TestRequest(({ redis }) => redis.lease((lease) => lease.ping()));
    const app = await start(request.handle, { maxConnections: 2 });
    const lease = await app.pool.acquire();
    const visitor = app.visit('/');
    await waitUntil(() => app.pool.stats().leases.waiting === 1, { what: 'the request waits for a lease' });
    visitor.hangUp();
    expect(await request.outcome).toEqual(ABORTED);
    expect(app.pool.stats().leases.waiting).toBe(0);
    await lease.release();
  });

  test('later commands are refused, of every kind', async () => {
    const gate = new Gate();
    const request = new TestRequest(async ({ redis }) => {
      await redis.ping();
      await gate.pass();
      return Promise.all([
        outcomeOf(redis.set('key', 'written')),
        outcomeOf(redis.pipeline().set('key', 'written').exec()),
        outcomeOf(redis.multi().set('key', 'written').exec()),
        outcomeOf(redis.blpop('queue', 0)),
        outcomeOf(redis.subscribe('news')),
        outcomeOf(redis.acquire()),
        outcomeOf(redis.lease((lease) => lease.set('key', 'written'))),
      ]);
    });
    const app = await start(request.handle);
    const visitor = app.visit('/');
    await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
    gate.open();
    const { value } = await request.outcome;
    expect(value).toEqual(Array.from({ length: 7 }, () => ABORTED));
    expect(await app.pool.get('key')).toBe(null);
    expect(app.pool.stats().leases.leased).toBe(0);
  });

  test('the same holds where Redis is first used after the hang-up', async () => {
    const gate = new Gate();
    const request = new TestRequest(async (exchange) => {
      await gate.pass();
      return exchange.redis.ping();
    });
    const app = await start(request.handle);
    const visitor = app.visit('/');
    await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
    visitor.hangUp();
    await request.closed;
    gate.open();
    expect(await request.outcome).toEqual(ABORTED);
  });

  test('a parked BLPOP and a subscription end', async () => {
    const request = new TestRequest(async ({ redis }) => {
      const subscription = await redis.subscribe('news');
      const popped = await outcomeOf(redis.blpop('queue', 0));
      for await (const { message } of subscription) return message;
      return popped;
    });
    const app = await start(request.handle);
    const visitor = app.visit('/');
    await bed.untilSubscribed('news', 1);
    await bed.untilParked(1);
    visitor.hangUp();
    await bed.untilParked(0);
    await bed.untilSubscribed('news', 0);
    await request.outcome;
    await app.pool.rpush('queue', 'element');
    expect(await app.pool.lpop('queue')).toBe('element');
  });

  test('a lease is not torn from its handler, who works with it to the end', async () => {
    const gate = new Gate();
    const request = new TestRequest(({ redis }) =>
      redis.lease(async (lease) => {
        await lease.set('step', 1);
        await gate.pass();
        await lease.set('step', 2);
        return lease.get('step');
      }),
    );
    const app = await start(request.handle);
    const visitor = app.visit('/');
    await waitUntil(() => gate.entered === 1, { what: 'the request holds a lease' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().hangUps === 1, { what: 'the hang-up was seen' });
    gate.open();
    expect(await request.outcome).toEqual({ value: '2' });
  });
}
