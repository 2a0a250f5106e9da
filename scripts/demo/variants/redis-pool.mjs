import { redisPool as plugin } from '@redis-pool/fastify';

/** This project: every command of every request over one connection. */
export async function redisPool(app, { url }) {
  await app.register(plugin, { url });
  return (request, work) => work(request.redis);
}
