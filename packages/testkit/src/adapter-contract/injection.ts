import { expect, test } from 'vitest';
import type { Routes, Testbed } from './testbed.js';

/** What a request finds at `req.redis`. */
export function injection(bed: Testbed): void {
  test('req.redis is the same object all through a request, and another one for the next', async () => {
    const seen: object[] = [];
    const app = await bed.start({
      '/twice': (exchange) => {
        const { redis } = exchange;
        seen.push(redis);
        return redis === exchange.redis;
      },
    });
    expect((await app.get('/twice')).json).toBe(true);
    expect((await app.get('/twice')).json).toBe(true);
    expect(new Set(seen).size).toBe(2);
  });

  test('it runs commands, and is named after the route', async () => {
    const app = await bed.start({
      '/named': async ({ redis, query }) => {
        await redis.set('key', query.value ?? '');
        return { value: await redis.get('key'), label: redis.label };
      },
    });
    const { status, json } = await app.get('/named?value=own');
    expect(status).toBe(200);
    expect(json).toEqual({ value: 'own', label: 'GET /named' });
  });

  test('it is made by its first use: a request that does not touch it costs no scope', async () => {
    const app = await bed.start({ '/quiet': () => 'quiet', '/busy': ({ redis }) => redis.ping() });
    const { pool } = app;
    const scope = pool.scope.bind(pool);
    let scopes = 0;
    pool.scope = (options) => {
      scopes += 1;
      return scope(options);
    };
    expect((await app.get('/quiet')).status).toBe(200);
    expect(scopes).toBe(0);
    expect((await app.get('/busy')).json).toBe('PONG');
    expect(scopes).toBe(1);
  });

  test('with several pools, only those that the request touches have a scope', async () => {
    const routes: Routes = { '/one': ({ redis }) => redis.nscache.ping() };
    const app = await bed.start(routes, { namespace: 'nscache' }, { namespace: 'nsqueue' });
    const untouched = app.poolOf('nsqueue');
    let scopes = 0;
    untouched.scope = () => {
      scopes += 1;
      throw new Error('nobody asked for it');
    };
    expect((await app.get('/one')).json).toBe('PONG');
    expect(scopes).toBe(0);
  });

  test('requests at the same time have one each', async () => {
    const app = await bed.start({
      '/own': async ({ redis, query }) => {
        await redis.set(`of:${query.id}`, `${query.id}`);
        return redis.get(`of:${query.id}`);
      },
    });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, id) => app.get(`/own?id=${id}`)));
    expect(answers.map(({ json }) => json)).toEqual(Array.from({ length: 50 }, (_, id) => `${id}`));
  });
}
