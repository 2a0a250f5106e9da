import { describe, expect, test } from 'vitest';
import type { Bench, Client } from './bench.js';

const NO_SESSION = { error: 'No session' };

export function sessionTests(bench: Bench): void {
  describe('sessions', () => {
    test('begin, go on, and end', async () => {
      const client = await bench.client({ SESSION_TTL_SECONDS: '600' });
      const begun = await begin(client);
      expect(begun.body).toEqual({ name: 'Ada', since: expect.stringMatching(/^\d{4}-.*Z$/) });
      const { cookie } = begun;
      const found = await client.get('/session').set('cookie', cookie);
      expect([found.status, found.body]).toEqual([200, begun.body]);
      const ended = await client.delete('/session').set('cookie', cookie);
      expect([ended.status, ended.text]).toEqual([204, '']);
      expect(ended.headers['set-cookie']?.[0]).toMatch(/^sid=;.*(Expires=Thu, 01 Jan 1970|Max-Age=0)/);
      const after = await client.get('/session').set('cookie', cookie);
      expect([after.status, after.body]).toEqual([401, NO_SESSION]);
      expect(await bench.redis.adminCommand('DBSIZE')).toBeLessThanOrEqual(2);
    });

    test('have a cookie that scripts and other sites cannot use', async () => {
      const client = await bench.client({ SESSION_TTL_SECONDS: '600' });
      const { setCookie } = await begin(client);
      expect(setCookie).toMatch(/^sid=[A-Za-z0-9_-]{43};/);
      expect(setCookie).toMatch(/; HttpOnly(;|$)/);
      expect(setCookie).toMatch(/; SameSite=Lax(;|$)/);
      expect(setCookie).toMatch(/; Path=\/(;|$)/);
      expect(setCookie).toMatch(/; Max-Age=600(;|$)/);
      expect(setCookie).not.toContain('Secure');
    });

    test('have a cookie for encrypted connections only, when told so', async () => {
      const client = await bench.client({ SECURE_COOKIE: 'true' });
      expect((await begin(client)).setCookie).toMatch(/; Secure(;|$)/);
    });

    test('are gone when their time is over, and each use makes it longer', async () => {
      const client = await bench.client({ SESSION_TTL_SECONDS: '600' });
      const { cookie } = await begin(client);
      const [key] = (await bench.redis.adminCommand('KEYS', 'session:*')) as [string];
      expect(await bench.redis.adminCommand('TTL', key)).toBeGreaterThan(590);
      await bench.redis.adminCommand('EXPIRE', key, 5);
      const used = await client.get('/session').set('cookie', cookie);
      expect(used.headers['set-cookie']?.[0]).toContain('Max-Age=600');
      expect(await bench.redis.adminCommand('TTL', key)).toBeGreaterThan(590);
      await bench.redis.adminCommand('PEXPIRE', key, 0);
      expect((await client.get('/session').set('cookie', cookie)).status).toBe(401);
    });

    test('are one for each login, with ids of their own', async () => {
      const client = await bench.client();
      const cookies = await Promise.all(Array.from({ length: 20 }, async () => (await begin(client)).cookie));
      expect(new Set(cookies).size).toBe(20);
    });

    test('replace the one that the client had', async () => {
      const client = await bench.client();
      const { cookie } = await begin(client);
      const second = await begin(client, cookie);
      expect(second.cookie).not.toBe(cookie);
      expect((await client.get('/session').set('cookie', cookie)).status).toBe(401);
      expect((await client.get('/session').set('cookie', second.cookie)).status).toBe(200);
    });

    test.each(['', 'sid=', 'sid=short', `sid=${'a'.repeat(43)}`, `sid=${'../'.repeat(20)}`, 'sid=%00'])(
      'are not found with the cookie "%s"',
      async (cookie) => {
        const client = await bench.client();
        const answer = await client.get('/session').set('cookie', cookie);
        expect([answer.status, answer.body]).toEqual([401, NO_SESSION]);
        expect((await client.delete('/session').set('cookie', cookie)).status).toBe(204);
      },
    );

    test.each([{}, { name: '' }, { name: 1 }])('need a name: %o', async (body) => {
      const client = await bench.client();
      const answer = await client.post('/session').send(body);
      expect([answer.status, answer.body]).toEqual([400, { error: 'Bad Request', fields: ['name'] }]);
      expect(answer.headers['set-cookie']).toBeUndefined();
    });
  });
}

async function begin(client: Client, cookieBefore = '') {
  const { body, headers } = await client
    .post('/session')
    .set('cookie', cookieBefore)
    .send({ name: 'Ada' })
    .expect(201);
  const setCookie = String(headers['set-cookie']?.[0]);
  return { body: body as unknown, setCookie, cookie: setCookie.split(';', 1)[0] as string };
}
