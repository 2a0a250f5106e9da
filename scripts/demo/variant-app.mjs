// The process of one variant: the same application each time, but for its way to Redis.
import fastify from 'fastify';
import { COUNTERS } from './data.mjs';
import { serveParent } from './serve-parent.mjs';
import { classicPool } from './variants/classic-pool.mjs';
import { connectionPerRequest } from './variants/connection-per-request.mjs';
import { redisPool } from './variants/redis-pool.mjs';

const VARIANTS = { connectionPerRequest, classicPool, redisPool };

const app = fastify();

serveParent(
  async ({ variant, url, prefix }) => {
    const withRedis = await VARIANTS[variant](app, { url });
    const userKey = ({ params }) => `${prefix}user:${params.id}`;
    const counterKeys = COUNTERS.map((name) => `${prefix}counter:${name}`);

    app.get('/user/:id', (request) => withRedis(request, (redis) => redis.hgetall(userKey(request))));

    app.get('/dashboard/:id', (request) =>
      withRedis(request, async (redis) => {
        const reads = [redis.hgetall(userKey(request)), ...counterKeys.map((key) => redis.get(key))];
        const [user, ...counters] = await Promise.all(reads);
        return { user, counters };
      }),
    );

    return { url: await app.listen({ host: '127.0.0.1', port: 0 }) };
  },
  () => app.close(),
);
