import { waitUntil } from '@redis-pool/testkit';
import { expect } from 'vitest';
import type { RedisPool } from '../../src/index.js';

/**
 * Uses every way of a pool to a server once, and checks what each gives: commands of one turn, a Buffer, a pipeline,
 * a transaction, a script, a lease, a blocking command that is waited for and one that is given up, a transaction with
 * a read, a subscription. All keys and channels begin with `app:`.
 */
export async function exercise(pool: RedisPool): Promise<void> {
  await plain(pool);
  await chained(pool);
  await exclusive(pool);
  await subscribed(pool);
}

async function plain(pool: RedisPool): Promise<void> {
  const numbers = Array.from({ length: 100 }, (_, index) => index);
  await Promise.all(numbers.map((index) => pool.set(`app:${index}`, `value ${index}`)));
  const values = await Promise.all(numbers.map((index) => pool.get(`app:${index}`)));
  expect(values).toEqual(numbers.map((index) => `value ${index}`));
  const bytes = Buffer.alloc(70_000, 0xfe);
  await pool.set('app:bytes', bytes);
  expect(bytes.equals((await pool.getBuffer('app:bytes')) as Buffer)).toBe(true);
  await pool.hset('app:hash', { a: '1', b: '2' });
  expect(await pool.hgetall('app:hash')).toEqual({ a: '1', b: '2' });
  await pool.zadd('app:sorted', 1.5, 'member');
  expect(await pool.zscore('app:sorted', 'member')).toBe('1.5');
}

async function chained(pool: RedisPool): Promise<void> {
  const replies = await pool.pipeline().del('app:count').incr('app:count').get('app:count').exec();
  expect(replies?.slice(1)).toEqual([
    [null, 1],
    [null, '1'],
  ]);
  const multi = await pool.multi().incr('app:count').hgetall('app:hash').exec();
  expect(multi).toEqual([
    [null, 2],
    [null, { a: '1', b: '2' }],
  ]);
  expect(await pool.eval('return redis.call("incrby", KEYS[1], ARGV[1])', 1, 'app:count', 3)).toBe(5);
}

async function exclusive(pool: RedisPool): Promise<void> {
  await pool.lease(async (lease) => {
    await lease.select(1);
    expect(await lease.get('app:0')).toBeNull();
  });
  await pool.lease(async (lease) => expect(await lease.get('app:0')).toBe('value 0'));
  const popped = pool.blpop('app:queue', 5);
  await pool.rpush('app:queue', 'element');
  expect(await popped).toEqual(['app:queue', 'element']);
  const controller = new AbortController();
  const given = pool.scope({ signal: controller.signal }).blpop('app:queue', 5);
  setImmediate(() => controller.abort(new Error('gone')));
  await expect(given).rejects.toThrow('gone');
  const replies = await pool.transaction(['app:count'], async (read, queue) => {
    queue.set('app:count', Number(await read.get('app:count')) * 2);
  });
  expect(replies).toEqual(['OK']);
  expect(await pool.get('app:count')).toBe('10');
}

async function subscribed(pool: RedisPool): Promise<void> {
  const received: string[] = [];
  const subscription = await pool.subscribe('app:news', (text) => received.push(String(text)));
  await pool.publish('app:news', 'hello');
  await waitUntil(() => received.length > 0, { what: 'the message arrives' });
  expect(received).toEqual(['hello']);
  await subscription.unsubscribe();
}
