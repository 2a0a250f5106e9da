import fastify = require('fastify');
import adapter = require('@redis-pool/fastify');

async function main(): Promise<void> {
  const app = fastify();
  await app.register(adapter.redisPool, { startup: 'optional' });
  app.get('/', async (request) => request.redis.ping());
  const { body } = await app.inject('/');
  if (body !== 'PONG') throw new Error(`Answered ${body}`);
  await app.close();
}

void main();
