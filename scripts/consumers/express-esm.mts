import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { redisPool } from '@redis-pool/express';
import express from 'express';

const redis = redisPool({ onHangUp: 'abort', serverTiming: true });
const app = express();
app.use(redis);
app.get('/', async (req, res) => res.send(await req.redis.ping()));
app.use(redis.errorHandler);
await redis.ready();
const server = app.listen(0, '127.0.0.1');
const closing = redis.closeWith(server);
await once(server, 'listening');
const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
const body = await answer.text();
if (body !== 'PONG' || !answer.headers.has('server-timing')) throw new Error(`Answered ${body}`);
const { cutRequests } = await closing.close();
if (cutRequests !== 0) throw new Error('Cut something');
