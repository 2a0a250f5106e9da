import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import type { Routes, Testbed } from './testbed.js';

const ROUTES: Routes = { '/hit': ({ redis }) => redis.incr('hits'), '/live': () => 'alive' };

/** What an application does at its start about a server that may be away. */
export function startup(bed: Testbed): void {
  const connections = async (): Promise<number> => (await bed.connectionNames()).length;

  test('require is the default: the application has a connection when it has started', async () => {
    const app = await bed.start(ROUTES);
    expect(app.pool.status).toBe('ready');
    expect(await connections()).toBe(1);
  });

  test('require: the start fails within connectTimeoutMs when the server is away, and leaves nothing open', async () => {
    await bed.server.kill();
    const startedAt = performance.now();
    const error = await bed.failedStart({ connectTimeoutMs: 300 });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT' });
    expect(error.message).toContain(`127.0.0.1:${bed.server.port}`);
    await bed.server.restart();
    // The name is free: other options for it are no conflict.
    const app = await bed.start(ROUTES, { lanes: 2, connectTimeoutMs: 1_000 });
    expect((await app.get('/hit')).status).toBe(200);
  });

  test('require: the start fails when the server accepts and says nothing', async () => {
    bed.server.freeze();
    const error = await bed.failedStart({ connectTimeoutMs: 300 });
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT' });
  });

  test('require: a pool that cannot start takes those with it that could', async () => {
    const away = await bed.startProxy();
    away.refuse();
    const error = await bed.failedStart({}, { namespace: 'nsaway', url: away.url, connectTimeoutMs: 200 });
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT' });
    await waitUntil(async () => (await connections()) === 0, { what: 'nothing is open' });
  });

  test('require: a wrong password fails the start at once, and is not told', async () => {
    const url = bed.server.url.replace('//', '//somebody:mistaken@');
    const startedAt = performance.now();
    const error = await bed.failedStart({ url, connectTimeoutMs: 10_000 });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(error).toMatchObject({ code: 'RP_ERR_AUTH' });
    expect(`${error.stack}${bed.log.join('')}`).not.toContain('mistaken');
  });

  test('optional: starts without Redis, answers 503 until it is there, then 200', async () => {
    await bed.server.kill();
    const options = { startup: 'optional', commandTimeoutMs: 200, reconnect: { maxDelayMs: 100 } };
    const app = await bed.start(ROUTES, options);
    expect((await app.get('/live')).status).toBe(200);
    const refused = await app.get('/hit');
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    await bed.server.restart();
    await app.pool.ready({ timeoutMs: 5_000 });
    expect((await app.get('/hit')).status).toBe(200);
  });

  test('optional: connects without a first command', async () => {
    await bed.start(ROUTES, { startup: 'optional' });
    await waitUntil(async () => (await connections()) === 1, { what: 'there is a connection' });
  });

  test('optional: closes while Redis is away', async () => {
    await bed.server.kill();
    const app = await bed.start(ROUTES, { startup: 'optional' });
    await app.close();
    expect(app.pool.status).toBe('closed');
  });

  test('lazy: opens nothing before the first command, then what that needs', async () => {
    const app = await bed.start(ROUTES, { startup: 'lazy' });
    expect((await app.get('/live')).status).toBe(200);
    expect(app.pool.stats().connectAttempts).toBe(0);
    expect((await app.get('/hit')).json).toBe(1);
    expect(app.pool.stats().connectAttempts).toBe(1);
  });

  test('lazy: starts and closes without Redis', async () => {
    await bed.server.kill();
    const app = await bed.start(ROUTES, { startup: 'lazy' });
    expect((await app.get('/live')).status).toBe(200);
    await app.close();
    expect(app.pool.stats().connectAttempts).toBe(0);
  });
}
