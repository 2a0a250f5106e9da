import { expect, test } from 'vitest';
import type { Routes, Testbed } from './testbed.js';

const METRIC =
  /^(?<name>[\w-]+);dur=(?<ms>\d+\.\d\d);desc="(?<commands>\d+) commands?, (?<leases>\d+) leases?"$/;

/** The `Server-Timing` header. */
export function serverTiming(bed: Testbed): void {
  const routes: Routes = {
    '/busy': async ({ redis }) => {
      await Promise.all([redis.set('key', 'value'), redis.get('key')]);
      await redis.pipeline().get('key').get('key').exec();
      return redis.lease((lease) => lease.get('key'));
    },
    '/quiet': () => 'quiet',
    '/own': ({ redis, response }) => {
      response.setHeader('server-timing', 'app;dur=1');
      return redis.ping();
    },
    '/stream': async ({ redis, response }) => {
      await redis.ping();
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('one');
      await redis.ping();
      response.end('two');
    },
    '/own-stream': async ({ redis, response }) => {
      await redis.ping();
      response.writeHead(200, { 'server-timing': 'app;dur=1' }).end();
    },
    '/failing': async ({ redis }) => {
      await redis.ping();
      throw new Error('a bug');
    },
  };

  function metricOf(header: unknown): { name: string; ms: number; commands: number; leases: number } {
    const { name = '', ms, commands, leases } = METRIC.exec(String(header))?.groups ?? {};
    return { name, ms: Number(ms), commands: Number(commands), leases: Number(leases) };
  }

  test('it says how many commands and leases the request used and how long it waited for them', async () => {
    const proxy = await bed.startProxy();
    const app = await bed.start(routes, { serverTiming: true, url: proxy.url });
    proxy.delay({ ms: 10, direction: 'toClient' });
    const { headers } = await app.get('/busy');
    const { name, ms, commands, leases } = metricOf(headers['server-timing']);
    expect({ name, commands, leases }).toEqual({ name: 'redis', commands: 4, leases: 1 });
    // Two round trips over the lane and the making of a lease.
    expect(ms).toBeGreaterThan(25);
    expect(ms).toBeLessThan(5_000);
  });

  test('there is none unless asked for, and none for a request that does not use Redis', async () => {
    const plain = await bed.start(routes);
    expect((await plain.get('/busy')).headers['server-timing']).toBeUndefined();
    const timed = await bed.start(routes, { serverTiming: true });
    expect((await timed.get('/quiet')).headers['server-timing']).toBeUndefined();
    expect((await timed.get('/busy')).headers['server-timing']).toBeDefined();
  });

  test('a header that the application has set is kept', async () => {
    const app = await bed.start(routes, { serverTiming: true });
    const [own, redis] = String((await app.get('/own')).headers['server-timing']).split(/, (?=redis)/);
    expect(own).toBe('app;dur=1');
    expect(metricOf(redis)).toMatchObject({ name: 'redis', commands: 1, leases: 0 });
  });

  test('streamed and failed responses have it too, with what was used until their headers left', async () => {
    const app = await bed.start(routes, { serverTiming: true });
    const stream = await app.get('/stream');
    expect(stream.body).toBe('onetwo');
    expect(metricOf(stream.headers['server-timing'])).toMatchObject({ name: 'redis', commands: 1 });
    const [own, redis] = String((await app.get('/own-stream')).headers['server-timing']).split(/, (?=redis)/);
    expect([own, metricOf(redis).commands]).toEqual(['app;dur=1', 1]);
    const failing = await app.get('/failing');
    expect(failing.status).toBe(500);
    expect(metricOf(failing.headers['server-timing'])).toMatchObject({ name: 'redis', commands: 1 });
  });

  test('each pool that is timed and was used has a metric of its own', async () => {
    const several: Routes = {
      '/main': ({ redis }) => redis.ping(),
      '/both': async ({ redis }) => [
        await redis.ping(),
        await redis.nscache.ping(),
        await redis.nsqueue.ping(),
      ],
    };
    const pools = [{}, { namespace: 'nscache' }, { namespace: 'nsqueue' }];
    const [main, cache, queue] = pools.map((pool, index) => ({ ...pool, serverTiming: index > 0 }));
    const app = await bed.start(several, { ...main }, { ...cache }, { ...queue });
    expect((await app.get('/main')).headers).not.toHaveProperty('server-timing');
    const metrics = String((await app.get('/both')).headers['server-timing']).split(/, (?=redis)/);
    expect(metrics.map((metric) => metricOf(metric).name)).toEqual(['redis-nscache', 'redis-nsqueue']);
  });
}
