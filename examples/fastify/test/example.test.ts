import type { FastifyInstance } from 'fastify';
import supertest from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildApp } from '../src/app.js';
import { readSettings } from '../src/settings.js';
import { startRedis, type TestRedis } from './redis.js';

let redis: TestRedis;
let app: FastifyInstance;
let client: ReturnType<typeof supertest>;

beforeAll(async () => {
  redis = await startRedis();
  app = await buildApp(readSettings({ REDIS_URL: redis.url, LOGS: 'off' }));
  await app.ready();
  client = supertest(app.server);
});
afterAll(async () => {
  await app.close();
  await redis.stop();
});

test('a user that was put can be read', async () => {
  const ada = { name: 'Ada', email: 'ada@example.org' };
  await client.put('/user/7').send(ada).expect(204);
  await client.get('/user/7').expect(200, ada);
});

test('a session lasts from login to logout', async () => {
  const { headers } = await client.post('/session').send({ name: 'Ada' }).expect(201);
  const [cookie = ''] = String(headers['set-cookie']).split(';', 1);
  const { body } = await client.get('/session').set('cookie', cookie).expect(200);
  expect(body.name).toBe('Ada');
  await client.delete('/session').set('cookie', cookie).expect(204);
  await client.get('/session').set('cookie', cookie).expect(401);
});
