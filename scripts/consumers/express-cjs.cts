import type { AddressInfo } from 'node:net';

import adapter = require('@redis-pool/express');
import express = require('express');

const redis = adapter.redisPool({ startup: 'optional' });
const app = express();
app.use(redis);
app.get('/', async (req, res) => res.send(await req.redis.ping()));

const server = app.listen(0, '127.0.0.1', async () => {
  const closing = redis.closeWith(server);
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const body = await answer.text();
  if (body !== 'PONG') throw new Error(`Answered ${body}`);
  await closing.close();
});
