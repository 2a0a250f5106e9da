import { describe, expect, test } from 'vitest';
import type { Bench } from './bench.js';

const ada = { name: 'Ada', email: 'ada@example.org' };

/** Users, counters, and what holds for every route. */
export function recordTests(bench: Bench): void {
  describe('users', () => {
    test('one that was put can be read, and replaced', async () => {
      const client = await bench.client();
      expect((await client.put('/user/7').send(ada)).status).toBe(204);
      expect(await answerOf(client.get('/user/7'))).toEqual([200, ada]);
      const other = { ...ada, email: 'lovelace@example.org' };
      await client.put('/user/7').send(other).expect(204);
      expect(await answerOf(client.get('/user/7'))).toEqual([200, other]);
    });

    test('one that nobody put is not found', async () => {
      const client = await bench.client();
      expect(await answerOf(client.get('/user/8'))).toEqual([404, { error: 'No such user' }]);
    });

    test.each([
      [{ name: 'Ada' }, ['email']],
      [{}, ['email', 'name']],
      [{ ...ada, email: 'nowhere' }, ['email']],
      [{ ...ada, name: '' }, ['name']],
      [{ ...ada, name: 7 }, ['name']],
      [{ ...ada, name: 'a'.repeat(101) }, ['name']],
      [{ name: null, email: ['ada@example.org'] }, ['email', 'name']],
    ])('must be complete, and nothing is stored otherwise: %o', async (body, fields) => {
      const client = await bench.client();
      const answer = await answerOf(client.put('/user/7').send(body));
      expect(answer).toEqual([400, { error: 'Bad Request', fields }]);
      expect((await client.get('/user/7')).status).toBe(404);
    });

    test('have nothing but what a user has', async () => {
      const client = await bench.client();
      await client
        .put('/user/7')
        .send({ ...ada, admin: 'yes' })
        .expect(204);
      expect((await client.get('/user/7')).body).toEqual(ada);
    });

    test.each(['7:secret', '%0a', 'a'.repeat(65), 'a*'])('cannot be reached as "%s"', async (id) => {
      const client = await bench.client();
      const expected = [400, { error: 'Bad Request', fields: ['id'] }];
      expect(await answerOf(client.get(`/user/${id}`))).toEqual(expected);
      expect(await answerOf(client.put(`/user/${id}`).send(ada))).toEqual(expected);
    });
  });

  describe('counters', () => {
    test('count each post, also many at once', async () => {
      const client = await bench.client();
      expect(await answerOf(client.get('/counter/visits'))).toEqual([200, { value: 0 }]);
      const posts = Array.from({ length: 50 }, () => client.post('/counter/visits'));
      const values = (await Promise.all(posts)).map(({ body }) => body.value as number);
      expect(new Set(values).size).toBe(50);
      expect((await client.get('/counter/visits')).body).toEqual({ value: 50 });
    });

    test('cannot be reached under a name that is none', async () => {
      const client = await bench.client();
      const expected = [400, { error: 'Bad Request', fields: ['name'] }];
      expect(await answerOf(client.get('/counter/a:b'))).toEqual(expected);
      expect(await answerOf(client.post('/counter/a:b'))).toEqual(expected);
    });

    test('tell a server error without what is inside', async () => {
      const client = await bench.client();
      await bench.redis.adminCommand('SET', 'counter:visits', 'many');
      expect(await answerOf(client.post('/counter/visits'))).toEqual([
        500,
        { error: 'Internal Server Error' },
      ]);
    });
  });

  describe('any request', () => {
    test('to no route is not found', async () => {
      const client = await bench.client();
      expect(await answerOf(client.get('/nothing'))).toEqual([404, { error: 'Not Found' }]);
      expect(await answerOf(client.delete('/user/7'))).toEqual([404, { error: 'Not Found' }]);
    });

    test('with a body that is no object is bad', async () => {
      const client = await bench.client();
      const { status, body } = await client.put('/user/7').send([]);
      expect([status, body.error]).toEqual([400, 'Bad Request']);
    });

    test('with a body that is no JSON is bad', async () => {
      const client = await bench.client();
      const put = client.put('/user/7').set('content-type', 'application/json').send('{"name":');
      expect(await answerOf(put)).toEqual([400, { error: 'Bad Request', fields: [] }]);
    });

    test.each(['application/xml', 'text/plain'])('with a body of type %s is refused', async (type) => {
      const client = await bench.client();
      const put = client.put('/user/7').set('content-type', type).send(JSON.stringify(ada));
      expect(await answerOf(put)).toEqual([415, { error: 'Unsupported Media Type' }]);
    });

    test('with too long a body is refused', async () => {
      const client = await bench.client();
      const put = client.put('/user/7').send({ ...ada, name: 'a'.repeat(20_000) });
      expect(await answerOf(put)).toEqual([413, { error: 'Payload Too Large' }]);
    });

    test('shares one connection with all others', async () => {
      const client = await bench.client({ WORKERS: '0' });
      await Promise.all(Array.from({ length: 50 }, (_, id) => client.get(`/user/${id}`)));
      expect(await bench.redis.clients()).toHaveLength(1);
    });
  });
}

async function answerOf(
  request: PromiseLike<{ status: number; body: unknown }>,
): Promise<[status: number, body: unknown]> {
  const { status, body } = await request;
  return [status, body];
}
