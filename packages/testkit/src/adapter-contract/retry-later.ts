import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import type { HttpAnswer } from './http-client.js';
import { Gate } from './outcome.js';
import type { Routes, Testbed } from './testbed.js';

/** Nobody outside may read it. */
const SECRET = 'key-of-a-customer';

/** How errors of Redis are answered. */
export function retryLater(bed: Testbed): void {
  function expectRetryLater(answer: HttpAnswer, code: string): void {
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 503,
      code,
      error: 'Service Unavailable',
      message: expect.any(String),
    });
    expectDiscreet(answer);
  }

  /** Neither the server's address nor an argument is told. */
  function expectDiscreet({ body, headers }: HttpAnswer): void {
    const told = body + JSON.stringify(headers);
    expect(told).not.toContain('127.0.0.1');
    expect(told).not.toContain(`${bed.server.port}`);
    expect(told).not.toContain(SECRET);
  }

  test('no connection (RP_ERR_UNAVAILABLE): 503 with Retry-After', async () => {
    const proxy = await bed.startProxy();
    const routes: Routes = { '/get': ({ redis }) => redis.get(SECRET) };
    const app = await bed.start(routes, { url: proxy.url, commandTimeoutMs: 100 });
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => app.pool.status === 'degraded', { what: 'the pool has lost its connection' });
    const answer = await app.get('/get');
    expectRetryLater(answer, 'RP_ERR_UNAVAILABLE');
    expect(answer.body).not.toContain(`${proxy.port}`);
  });

  test('no reply (RP_ERR_COMMAND_TIMEOUT): 503 with Retry-After', async () => {
    const routes: Routes = { '/get': ({ redis }) => redis.get(SECRET) };
    const app = await bed.start(routes, { commandTimeoutMs: 100, closeTimeoutMs: 200 });
    bed.server.freeze();
    expectRetryLater(await app.get('/get'), 'RP_ERR_COMMAND_TIMEOUT');
  });

  test('too much pending (RP_ERR_QUEUE_FULL): 503 with Retry-After', async () => {
    const routes: Routes = {
      '/many': ({ redis }) => Promise.all([redis.get(SECRET), redis.get(SECRET), redis.get(SECRET)]),
    };
    const app = await bed.start(routes, { maxPending: { commands: 2 } });
    expectRetryLater(await app.get('/many'), 'RP_ERR_QUEUE_FULL');
  });

  test('no lease came free (RP_ERR_ACQUIRE_TIMEOUT): 503 with Retry-After', async () => {
    const routes: Routes = { '/lease': ({ redis }) => redis.lease((lease) => lease.get(SECRET)) };
    const app = await bed.start(routes, { maxConnections: 2, acquireTimeoutMs: 50 });
    const lease = await app.pool.acquire();
    expectRetryLater(await app.get('/lease'), 'RP_ERR_ACQUIRE_TIMEOUT');
    await lease.release();
    expect((await app.get('/lease')).status).toBe(200);
  });

  test('an error of the handle of the application is answered alike', async () => {
    const gate = new Gate();
    const routes: Routes = { '/get': () => gate.pass().then(() => app.pool.get(SECRET)) };
    const app = await bed.start(routes, { commandTimeoutMs: 100, closeTimeoutMs: 200 });
    bed.server.freeze();
    gate.open();
    expectRetryLater(await app.get('/get'), 'RP_ERR_COMMAND_TIMEOUT');
  });

  test('an error reply of Redis is a bug of the application: 500 without Retry-After', async () => {
    const routes: Routes = { '/hget': ({ redis }) => redis.hget(SECRET, 'field') };
    const app = await bed.start(routes);
    await app.pool.set(SECRET, 'no hash');
    const answer = await app.get('/hget');
    expect([answer.status, answer.headers['retry-after']]).toEqual([500, undefined]);
    expectDiscreet(answer);
  });

  test('errors of others are none of its business', async () => {
    const routes: Routes = {
      '/bug': () => {
        throw new Error('a bug');
      },
    };
    const answer = await (await bed.start(routes)).get('/bug');
    expect([answer.status, answer.headers['retry-after']]).toEqual([500, undefined]);
  });
}
