import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import { outcomeOf } from './outcome.js';
import { TestRequest } from './test-request.js';
import type { Routes, Testbed } from './testbed.js';

const TIMED_OUT = { error: expect.objectContaining({ code: 'RP_ERR_COMMAND_TIMEOUT' }) };

/** What bounds a request besides its client. */
export function deadline(bed: Testbed): void {
  test('requestTimeoutMs ends everything that a request has running, and is answered with 503', async () => {
    const request = new TestRequest(async ({ redis }) => {
      const ended = await Promise.all([
        outcomeOf(redis.get('key')),
        outcomeOf(redis.pipeline().get('key').exec()),
        outcomeOf(redis.acquire()),
        outcomeOf(redis.blpop('queue', 0)),
      ]);
      return [...ended, await outcomeOf(redis.get('key'))];
    });
    const routes: Routes = { '/all': request.handle, '/one': ({ redis }) => redis.get('key') };
    const app = await bed.start(routes, { requestTimeoutMs: 150, closeTimeoutMs: 300 });
    bed.server.freeze();
    const [answer] = await Promise.all([app.get('/one'), app.get('/all')]);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect((await request.outcome).value).toEqual([TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT]);
  });

  test('requestTimeoutMs is for the request as a whole: its first use of Redis starts it, and no command prolongs it', async () => {
    let commands = 0;
    const routes: Routes = {
      '/long': async ({ redis }) => {
        for (;;) {
          await redis.ping();
          commands += 1;
        }
      },
    };
    const app = await bed.start(routes, { requestTimeoutMs: 100 });
    expect((await app.get('/long')).status).toBe(503);
    expect(commands).toBeGreaterThan(1);
    // The next request has its own time.
    const after = commands;
    expect((await app.get('/long')).status).toBe(503);
    expect(commands).toBeGreaterThan(after + 1);
  });

  test('requestSignal is asked with the request of the framework, and its abort ends what runs', async () => {
    const asked: unknown[] = [];
    const controller = new AbortController();
    const request = new TestRequest(async ({ redis, request: own }) => {
      const parked = await outcomeOf(redis.blpop('queue', 0));
      return { own, ended: [parked.error, (await outcomeOf(redis.get('key'))).error] };
    });
    const requestSignal = (own: unknown): AbortSignal => {
      asked.push(own);
      return controller.signal;
    };
    const routes: Routes = { '/': (exchange) => request.handle(exchange).then(() => 'done') };
    const app = await bed.start(routes, { requestSignal });
    const answer = app.get('/');
    await bed.untilParked(1);
    const reason = new Error('the deadline of the framework');
    controller.abort(reason);
    const { value } = await request.outcome;
    expect(value?.ended).toEqual([reason, reason]);
    expect(asked).toEqual([value?.own]);
    expect((await answer).json).toBe('done');
    await bed.untilParked(0);
  });

  test('requestSignal may give none, and a signal for many requests gathers nothing', async () => {
    const { signal } = new AbortController();
    const requestSignal = (): AbortSignal | undefined => (requests++ % 2 === 0 ? signal : undefined);
    let requests = 0;
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const routes: Routes = {
      '/': async ({ redis }) => {
        const subscription = await redis.subscribe('news');
        await redis.lease((lease) => lease.ping());
        await redis.ping();
        return subscription.ended;
      },
    };
    const app = await bed.start(routes, { requestSignal });
    const answers = await Promise.all(Array.from({ length: 40 }, () => app.get('/')));
    expect(answers.map(({ json }) => json)).toEqual(Array.from({ length: 40 }, () => false));
    await bed.untilSubscribed('news', 0);
    await waitUntil(() => getEventListeners(signal, 'abort').length === 0, {
      what: 'nobody listens any more',
    });
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(requests).toBe(40);
  });
}
