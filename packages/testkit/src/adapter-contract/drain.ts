import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import { outcomeOf } from './outcome.js';
import { TestRequest } from './test-request.js';
import type { Routes, Testbed } from './testbed.js';

const REQUESTS = 50;
const STEPS = 5;

/** What may come on top of the budget: sockets close, timers are late. */
const GRACE_MS = 2_000;

/** The end of an application under load. */
export function drain(bed: Testbed): void {
  const closingTime = async (app: { close(): Promise<void> }): Promise<number> => {
    const startedAt = performance.now();
    await app.close();
    return performance.now() - startedAt;
  };

  test(`${REQUESTS} requests that are at work when it closes are all answered`, async () => {
    const proxy = await bed.startProxy();
    let begun = 0;
    const routes: Routes = {
      '/work': async ({ redis }) => {
        await redis.incr('steps');
        begun += 1;
        await redis.lease((lease) => lease.incr('steps'));
        for (let step = 2; step < STEPS; step += 1) await redis.incr('steps');
        return 'done';
      },
    };
    const app = await bed.start(routes, { url: proxy.url, closeTimeoutMs: 10_000, acquireTimeoutMs: 10_000 });
    proxy.delay({ ms: 15, jitterMs: 10 });
    const answers = Array.from({ length: REQUESTS }, () => app.get('/work'));
    await waitUntil(() => begun === REQUESTS, { what: 'all requests are at work' });
    const closing = app.close();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual(Array.from({ length: REQUESTS }, () => 200));
    await closing;
    expect(await bed.server.adminCommand('GET', 'steps')).toBe(`${REQUESTS * STEPS}`);
  });

  test('what waits for ever ends: parked commands of requests and of workers, with RP_ERR_CLOSING', async () => {
    const request = new TestRequest(async ({ redis }) => {
      const parked = await outcomeOf(redis.blpop('queue', 0));
      return [parked.error?.code, await redis.set('after', 'written')];
    });
    const app = await bed.start({ '/park': request.handle }, { closeTimeoutMs: 10_000 });
    const worker = outcomeOf(app.pool.blpop('jobs', 0));
    const answer = app.get('/park');
    await bed.untilParked(2);
    expect(await closingTime(app)).toBeLessThan(5_000);
    expect((await worker).error).toMatchObject({ code: 'RP_ERR_CLOSING' });
    expect((await answer).json).toEqual(['RP_ERR_CLOSING', 'OK']);
    await bed.untilParked(0);
  });

  test('with Redis frozen it ends inside its budget, and every request is answered', async () => {
    let begun = 0;
    const routes: Routes = {
      '/get': ({ redis }) => {
        begun += 1;
        return redis.get('key');
      },
    };
    const app = await bed.start(routes, { closeTimeoutMs: 1_000, commandTimeoutMs: 20_000 });
    bed.server.freeze();
    const answers = Array.from({ length: 5 }, () => app.get('/get'));
    await waitUntil(() => begun === 5, { what: 'all requests are at work' });
    expect(await closingTime(app)).toBeLessThan(1_000 + GRACE_MS);
    for (const { status, headers } of await Promise.all(answers)) {
      expect([status, headers['retry-after']]).toEqual([503, '1']);
    }
  });

  test('so it does with Redis frozen below a parked command, a subscription and a lease', async () => {
    const routes: Routes = {
      '/park': ({ redis }) => redis.blpop('queue', 0),
      '/lease': ({ redis }) => redis.lease((lease) => lease.get('key')),
      '/events': async ({ redis, response }) => {
        const subscription = await redis.subscribe('news');
        response.writeHead(200);
        for await (const { message } of subscription) response.write(message);
        response.end();
      },
    };
    const app = await bed.start(routes, { closeTimeoutMs: 1_000, commandTimeoutMs: 20_000 });
    const lease = await app.pool.acquire();
    await lease.release();
    const answers = [outcomeOf(app.get('/park')), outcomeOf(app.get('/events'))];
    await bed.untilParked(1);
    await bed.untilSubscribed('news', 1);
    bed.server.freeze();
    answers.push(outcomeOf(app.get('/lease')));
    await waitUntil(() => app.pool.stats().leases.leased + app.pool.stats().leases.creating === 2, {
      what: 'both leases are wanted',
    });
    expect(await closingTime(app)).toBeLessThan(1_000 + GRACE_MS);
    await Promise.all(answers);
  });

  test('closing twice, at once and later, is closing once', async () => {
    const app = await bed.start({ '/hit': ({ redis }) => redis.incr('hits') });
    await app.get('/hit');
    await Promise.all([app.close(), app.close()]);
    await app.close();
    expect(app.pool.status).toBe('closed');
  });

  test('a handle of the application is left open, unless closeClient says otherwise', async () => {
    const routes: Routes = { '/hit': ({ redis }) => redis.incr('hits') };
    const owner = await bed.start(routes);
    const guest = await bed.start(routes, { url: undefined, client: owner.pool });
    expect((await guest.get('/hit')).json).toBe(1);
    const parked = outcomeOf(owner.pool.blpop('jobs', 0));
    await bed.untilParked(1);
    await guest.close();
    expect((await owner.get('/hit')).json).toBe(2);
    await owner.pool.rpush('jobs', 'job');
    expect(await parked).toEqual({ value: ['jobs', 'job'] });
    const last = await bed.start(routes, { url: undefined, client: owner.pool, closeClient: true });
    await last.close();
    expect(owner.pool.status).toBe('closed');
  });
}
