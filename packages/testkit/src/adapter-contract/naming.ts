import { describe, expect, test } from 'vitest';
import type { Routes, Testbed } from './testbed.js';

const WHERE: Routes = {
  '/where': async ({ redis }) => [await redis.get('where'), await redis.nscache.get('where')],
};

/** Several pools in one application. */
export function naming(bed: Testbed): void {
  const inDatabase = (database: number) => `${bed.server.url}/${database}`;

  test('each pool with a namespace is a pool of its own at redis.<namespace>, named after it', async () => {
    const routes: Routes = {
      '/set': async ({ redis }) => {
        const { nscache } = redis;
        await nscache.set('key', 'in cache');
        await redis.nsqueue.set('key', 'in queue');
        return { same: nscache === redis.nscache, label: redis.nsqueue.label };
      },
    };
    const app = await bed.start(
      routes,
      { namespace: 'nscache' },
      { namespace: 'nsqueue', url: inDatabase(1), name: 'jobs' },
    );
    expect((await app.get('/set')).json).toEqual({ same: true, label: 'GET /set' });
    expect(await app.poolOf('nscache').get('key')).toBe('in cache');
    expect(await app.poolOf('nsqueue').get('key')).toBe('in queue');
    expect(await bed.connectionNames()).toEqual([`jobs:lane:${process.pid}`, `nscache:lane:${process.pid}`]);
  });

  test('the pool without a namespace is redis itself, and the others are its members', async () => {
    const app = await bed.start(WHERE, {}, { namespace: 'nscache', url: inDatabase(1) });
    await app.pool.set('where', 'main');
    await app.poolOf('nscache').set('where', 'cache');
    expect((await app.get('/where')).json).toEqual(['main', 'cache']);
    expect(await bed.connectionNames()).toEqual([
      `default:lane:${process.pid}`,
      `nscache:lane:${process.pid}`,
    ]);
  });

  test.skipIf(bed.harness.mainPoolFirst)('the pool without a namespace may come last', async () => {
    const app = await bed.start(WHERE, { namespace: 'nscache', url: inDatabase(1) }, {});
    await app.pool.set('where', 'main');
    await app.poolOf('nscache').set('where', 'cache');
    expect((await app.get('/where')).json).toEqual(['main', 'cache']);
  });

  test('a namespace can be taken once', async () => {
    const error = await bed.failedStart({}, { namespace: 'nscache' }, { namespace: 'nscache' });
    expect(error).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    expect(error.message).toBe("Redis 'nscache' instance namespace has already been registered");
  });

  test('there is one pool without a namespace', async () => {
    const error = await bed.failedStart({}, {});
    expect(error).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    expect(error.message).toContain('has already been registered');
  });

  describe('a namespace cannot be', () => {
    test.each(['get', 'pipeline', 'subscribe', 'constructor', 'then', 'usage', 'greet'])(
      '%s',
      async (namespace) => {
        const scripts = { greet: { lua: "return 'hello'", numberOfKeys: 0 } };
        const error = await bed.failedStart({ scripts }, { namespace });
        expect(error).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
        expect(error.message).toBe(
          `Redis '${namespace}' cannot be a namespace: "redis" has a member of that name`,
        );
      },
    );
  });

  test.skipIf(bed.harness.mainPoolFirst)(
    'nor a script of the pool without a namespace when that comes last',
    async () => {
      const scripts = { greet: { lua: "return 'hello'", numberOfKeys: 0 } };
      const error = await bed.failedStart({ namespace: 'greet' }, { scripts });
      expect(error.message).toContain(`Redis 'greet' cannot be a namespace`);
    },
  );

  test('wrong options fail the start with the name of the option, what it must be and what it is', async () => {
    const error = await bed.failedStart({ startup: 'sometimes' });
    expect(error).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    expect(error.message).toBe(
      'Option "startup" must be "require" or "optional" or "lazy", received "sometimes"',
    );
  });
}
