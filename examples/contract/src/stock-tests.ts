import { describe, expect, test } from 'vitest';
import type { Bench, Client } from './bench.js';

export function stockTests(bench: Bench): void {
  describe('the stock', () => {
    test('is put, read and reserved, and who reserved is written down', async () => {
      const client = await bench.client();
      await client.put('/stock/lamp').send({ quantity: 10 }).expect(204);
      expect((await client.get('/stock/lamp')).body).toEqual({ left: 10 });
      const reserved = await reserve(client, 'lamp', 3);
      expect([reserved.status, reserved.body]).toEqual([201, { id: expect.any(String), left: 7 }]);
      expect((await client.get('/stock/lamp')).body).toEqual({ left: 7 });
      expect(await bench.redis.adminCommand('HGETALL', 'reservations:lamp')).toEqual([reserved.body.id, '3']);
    });

    test('refuses more than there is, and keeps what there is', async () => {
      const client = await bench.client();
      await client.put('/stock/lamp').send({ quantity: 2 }).expect(204);
      const refused = await reserve(client, 'lamp', 3);
      expect([refused.status, refused.body]).toEqual([409, { error: 'Sold out', left: 2 }]);
      expect((await reserve(client, 'lamp', 2)).body.left).toBe(0);
      expect((await reserve(client, 'lamp', 1)).status).toBe(409);
    });

    test('knows no article that nobody put there', async () => {
      const client = await bench.client();
      const answers = [await client.get('/stock/lamp'), await reserve(client, 'lamp', 1)];
      for (const { status, body } of answers)
        expect([status, body]).toEqual([404, { error: 'No such article' }]);
    });

    test.each([0, -1, 1.5, '1', 1_000_001, null])('cannot be reserved %o times', async (quantity) => {
      const client = await bench.client();
      await client.put('/stock/lamp').send({ quantity: 10 }).expect(204);
      const answer = await client.post('/stock/lamp/reserve').send({ quantity });
      expect([answer.status, answer.body]).toEqual([400, { error: 'Bad Request', fields: ['quantity'] }]);
      expect((await client.get('/stock/lamp')).body).toEqual({ left: 10 });
    });

    test.each([-1, 1.5, '1', undefined])('cannot be %o', async (quantity) => {
      const client = await bench.client();
      const answer = await client.put('/stock/lamp').send({ quantity });
      expect([answer.status, answer.body]).toEqual([400, { error: 'Bad Request', fields: ['quantity'] }]);
    });

    test('is sold exactly once: of 200 who want one of 100 pieces at once, 100 get one', async () => {
      const client = await bench.client();
      await client.put('/stock/lamp').send({ quantity: 100 }).expect(204);
      const answers = await Promise.all(Array.from({ length: 200 }, () => reserveAtLast(client)));
      const count = (wanted: number) => answers.filter(({ status }) => status === wanted).length;
      expect([count(201), count(409)]).toEqual([100, 100]);
      expect((await client.get('/stock/lamp')).body).toEqual({ left: 0 });
      expect(await bench.redis.adminCommand('HLEN', 'reservations:lamp')).toBe(100);
      const { leases } = (await client.get('/state')).body;
      expect([leases.leased - leases.blocking, leases.waiting]).toEqual([0, 0]);
    });
  });
}

function reserve(client: Client, sku: string, quantity: number) {
  return client.post(`/stock/${sku}/reserve`).send({ quantity });
}

/** Everybody wants the same: on a slow machine some are told to try later, having got nothing. */
async function reserveAtLast(client: Client) {
  for (;;) {
    const answer = await reserve(client, 'lamp', 1);
    if (answer.status !== 503) return answer;
    expect(answer.headers['retry-after']).toBe('1');
  }
}
