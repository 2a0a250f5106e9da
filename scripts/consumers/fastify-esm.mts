import { redisPool } from '@redis-pool/fastify';
import { fastify } from 'fastify';

const app = fastify();
await app.register(redisPool, { onHangUp: 'abort', serverTiming: true });
app.get('/', async (request) => request.redis.ping());
const { body, headers } = await app.inject('/');
if (body !== 'PONG' || headers['server-timing'] === undefined) throw new Error(`Answered ${body}`);
await app.close();
