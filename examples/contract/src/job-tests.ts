import { waitUntil } from '@redis-pool/testkit';
import supertest from 'supertest';
import { describe, expect, test } from 'vitest';
import type { Bench, Client } from './bench.js';
import { type EventStream, openEvents } from './event-stream.js';

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function jobTests(bench: Bench): void {
  describe('jobs', () => {
    test('are queued, worked on, and their result can be read', async () => {
      const client = await bench.client();
      const queued = await client.post('/jobs').send({ text: 'three small words' });
      const { id } = queued.body;
      expect(id).toMatch(ID);
      expect([queued.status, queued.headers.location, queued.body]).toEqual([
        202,
        `/jobs/${id}`,
        { id, state: 'queued', text: 'three small words', attempts: 0, result: null },
      ]);
      expect(await doneJob(client, id)).toEqual({
        ...{ id, state: 'done', text: 'three small words' },
        ...{ attempts: 1, result: '3 words' },
      });
    });

    test('are worked on once each, however many workers there are', async () => {
      const clients = [await bench.client({ WORKERS: '3' }), await bench.client({ WORKERS: '2' })];
      const [first, second] = clients as [Client, Client];
      const ids = await Promise.all(
        Array.from({ length: 60 }, (_, index) => queue(index % 2 ? first : second, { text: `job ${index}` })),
      );
      const jobs = await Promise.all(ids.map((id) => doneJob(first, id)));
      expect(jobs.map(({ attempts }) => attempts)).toEqual(ids.map(() => 1));
      expect(await leftInQueue()).toEqual([0, 0]);
    });

    test('wait until somebody works on them', async () => {
      const client = await bench.client({ WORKERS: '0' });
      const id = await queue(client, { text: 'later' });
      expect((await client.get(`/jobs/${id}`)).body.state).toBe('queued');
      await bench.start({ WORKERS: '1' });
      expect((await doneJob(client, id)).attempts).toBe(1);
    });

    test('that an application was working on when it closed are handed to the next one at once', async () => {
      const first = await bench.start();
      const id = await queue(supertest(first.url), { text: 'half done', durationMs: 1_500 });
      await running(supertest(first.url), id);
      await first.close();
      // Its claim would last for long: it was given back.
      const next = await bench.client({ JOB_CLAIM_MS: '15000' });
      expect(await doneJob(next, id, 8_000)).toMatchObject({ attempts: 1, result: '2 words' });
      expect(await leftInQueue()).toEqual([0, 0]);
    });

    test('of a worker that was killed in the middle are done by another, and tell it once', async () => {
      const next = await bench.start({ WORKERS: '0' });
      const feed = await (await openEvents(next.url)).opened();
      const victim = await bench.serve({ WORKERS: '1' });
      const client = supertest(next.url);
      const id = await queue(client, { text: 'killed in the middle', durationMs: 1_000 });
      await running(client, id);
      await victim.kill();
      expect(await leftInQueue()).toEqual([1, 1]);
      await bench.start({ JOB_CLAIM_MS: '300' });
      const done = { attempts: 2, result: '4 words' };
      expect(await doneJob(client, id)).toMatchObject(done);
      expect(await toldUntilNow(client, feed)).toEqual(['Job "killed in the middle" is done: 4 words']);
      expect(await leftInQueue()).toEqual([0, 0]);
      feed.leave();
    });

    test('of a worker that stood still and woke up too late have one result', async () => {
      const next = await bench.start({ WORKERS: '0' });
      const feed = await (await openEvents(next.url)).opened();
      const sleeper = await bench.serve({ WORKERS: '1', JOB_CLAIM_MS: '300' });
      const client = supertest(next.url);
      const id = await queue(client, { text: 'slept through', durationMs: 500 });
      await running(client, id);
      sleeper.signal('SIGSTOP');
      await bench.start({ JOB_CLAIM_MS: '300' });
      await doneJob(client, id);
      sleeper.signal('SIGCONT');
      // It works again: it takes the next job, after it was done with the old one.
      await bench.closeAllBut(next);
      const after = await queue(client, { text: 'after' });
      await doneJob(client, after);
      expect(await toldUntilNow(client, feed)).toEqual([
        'Job "slept through" is done: 2 words',
        'Job "after" is done: 1 word',
      ]);
      feed.leave();
    });

    test('survive a lost connection in the middle', async () => {
      const { url } = await bench.start({ JOB_CLAIM_MS: '300' });
      const client = supertest(url);
      const id = await queue(client, { text: 'cut off', durationMs: 600 });
      await running(client, id);
      await bench.redis.adminCommand('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      expect(await doneJob(client, id)).toMatchObject({ result: '2 words' });
      expect(await leftInQueue()).toEqual([0, 0]);
    });

    test('that bring their workers down every time are given up', async () => {
      const client = await bench.client({ WORKERS: '0' });
      const id = await queue(client, { text: 'poison' });
      await bench.redis.adminCommand('HSET', `job:${id}`, 'attempts', 3);
      await bench.start();
      const job = await waitUntil(async () => settledJob(client, id), { what: 'it was given up' });
      expect(job).toMatchObject({ state: 'failed', result: 'Given up after 3 attempts' });
      expect(await leftInQueue()).toEqual([0, 0]);
    });

    test('that nobody queued are not found', async () => {
      const client = await bench.client();
      const answer = await client.get('/jobs/00000000-0000-4000-8000-000000000000');
      expect([answer.status, answer.body]).toEqual([404, { error: 'No such job' }]);
      expect((await client.get('/jobs/a:b')).body).toEqual({ error: 'Bad Request', fields: ['id'] });
    });

    test.each([
      [{}, ['text']],
      [{ text: '' }, ['text']],
      [{ text: 'a', durationMs: -1 }, ['durationMs']],
      [{ text: 'a', durationMs: 10_001 }, ['durationMs']],
      [{ text: 7, durationMs: '1' }, ['durationMs', 'text']],
    ])('cannot be like %o', async (body, fields) => {
      const client = await bench.client();
      const answer = await client.post('/jobs').send(body);
      expect([answer.status, answer.body]).toEqual([400, { error: 'Bad Request', fields }]);
      expect(await bench.redis.adminCommand('KEYS', 'job:*')).toEqual([]);
    });
  });

  /** How many entries the queue has, and how many of them are with a worker. */
  async function leftInQueue(): Promise<unknown[]> {
    const pending = (await bench.redis.adminCommand('XPENDING', 'jobs', 'workers')) as unknown[];
    return [await bench.redis.adminCommand('XLEN', 'jobs'), pending[0]];
  }
}

async function queue(client: Client, order: { text: string; durationMs?: number }): Promise<string> {
  const { body } = await client.post('/jobs').send(order).expect(202);
  return body.id;
}

function running(client: Client, id: string) {
  const isRunning = async () => (await client.get(`/jobs/${id}`)).body.state === 'running';
  return waitUntil(isRunning, { what: 'the job runs' });
}

async function settledJob(client: Client, id: string) {
  const { body } = await client.get(`/jobs/${id}`);
  return body.state === 'done' || body.state === 'failed' ? body : undefined;
}

function doneJob(client: Client, id: string, timeoutMs = 8_000) {
  const isDone = async () => {
    const { body } = await client.get(`/jobs/${id}`);
    return body.state === 'done' ? body : undefined;
  };
  return waitUntil(isDone, { timeoutMs, what: 'the job is done' });
}

/** Everything the feed has told so far: it keeps the order, so nothing before its last message is still to come. */
async function toldUntilNow(client: Client, feed: EventStream): Promise<string[]> {
  await client.post('/feed').send({ text: 'until here' }).expect(204);
  await waitUntil(() => feed.events.at(-1)?.text === 'until here', { what: 'the feed has told everything' });
  return feed.events.slice(0, -1).map(({ text }) => text);
}
