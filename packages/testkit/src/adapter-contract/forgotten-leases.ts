import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import { Gate, outcomeOf } from './outcome.js';
import type { Lease } from './redis-shape.js';
import type { Routes, TestApp, Testbed } from './testbed.js';

const FORGOTTEN_MS = 100;

/** What becomes of a lease that its request did not release. */
export function forgottenLeases(bed: Testbed): void {
  const left: Lease[] = [];
  const FORGET: Routes[string] = async ({ redis }) => {
    left.push(await redis.acquire());
    return 'answered';
  };

  async function start(routes: Routes): Promise<TestApp> {
    left.splice(0);
    return bed.start({ ...routes, '/forget': FORGET }, { forgottenLeaseMs: FORGOTTEN_MS });
  }

  /** A lease that was forgotten now is back: what was used longer than that would be, too. */
  async function untilOneMoreIsBack(app: TestApp): Promise<void> {
    const before = app.pool.stats().forgottenLeases;
    await app.get('/forget');
    await waitUntil(() => app.pool.stats().forgottenLeases === before + 1, { what: 'the lease is back' });
  }

  const warnings = (): string[] => bed.log.filter((line) => line.includes('forgottenLeaseMs'));

  test('it comes back after the response, with one warning that names the route and the place', async () => {
    const app = await start({});
    expect((await app.get('/forget')).json).toBe('answered');
    expect(app.pool.stats().leases.leased).toBe(1);
    await waitUntil(() => app.pool.stats().leases.leased === 0, { what: 'the lease is back' });
    expect(app.pool.stats()).toMatchObject({ forgottenLeases: 1, leases: { leased: 0, idle: 1 } });
    await untilOneMoreIsBack(app);
    expect(warnings()).toHaveLength(2);
    for (const warning of warnings()) {
      expect(warning).toContain('GET /forget');
      expect(warning).toMatch(/adapter-contract[/\\]+forgotten-leases\.[jt]s/);
    }
  });

  test('what still uses it is told why it cannot', async () => {
    const app = await start({});
    await app.get('/forget');
    await waitUntil(() => app.pool.stats().forgottenLeases === 1, { what: 'the lease is back' });
    const [lease] = left as [Lease];
    expect(lease.released).toBe(true);
    const { error } = await outcomeOf(lease.get('key'));
    expect(error).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED', maybeExecuted: false });
    expect(error?.message).toContain(
      `GET /forget had ended and did not use it for ${FORGOTTEN_MS} ms (forgottenLeaseMs)`,
    );
    const { error: ofChain } = await outcomeOf(lease.pipeline().get('key').exec());
    expect(ofChain).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED' });
    // Releasing late is no mistake, and takes nothing from the next holder.
    const next = await app.pool.acquire();
    await lease.release();
    expect(await next.ping()).toBe('PONG');
    expect(app.pool.stats().leases.leased).toBe(1);
    await next.release();
  });

  test('after a hang-up it comes back as well', async () => {
    const gate = new Gate();
    const app = await start({
      '/hold': async ({ redis }) => {
        left.push(await redis.acquire());
        await gate.pass();
      },
    });
    const visitor = app.visit('/hold');
    await waitUntil(() => gate.entered === 1, { what: 'the request holds a lease' });
    visitor.hangUp();
    await waitUntil(() => app.pool.stats().forgottenLeases === 1, { what: 'the lease is back' });
    gate.open();
  });

  test('a lease that is used is never taken, however long after the response', async () => {
    const app = await start({});
    await app.get('/forget');
    const [lease] = left as [Lease];
    let replies = 0;
    let isOver = false;
    const using = (async () => {
      while (!isOver) {
        expect(await lease.incr('uses')).toBe(++replies);
        await new Promise((resolve) => setTimeout(resolve, FORGOTTEN_MS / 4));
      }
    })();
    await untilOneMoreIsBack(app);
    await untilOneMoreIsBack(app);
    isOver = true;
    await using;
    expect(lease.released).toBe(false);
    await lease.release();
    expect(warnings()).toHaveLength(2);
  });

  test('nor is one whose command is not answered yet', async () => {
    const app = await start({});
    await Promise.all([app.get('/forget'), app.get('/forget')]);
    const [busy, idle] = left as [Lease, Lease];
    bed.server.freeze();
    const reply = busy.incr('uses');
    await waitUntil(() => idle.released, { what: 'the other one, which is not used, was taken' });
    // As long again.
    await new Promise((resolve) => setTimeout(resolve, 2 * FORGOTTEN_MS));
    expect(busy.released).toBe(false);
    bed.server.thaw();
    expect(await reply).toBe(1);
    await waitUntil(() => busy.released, { what: 'it is taken when it is not used any more' });
  });

  test('a lease that was released, by hand or by lease(fn), is not touched', async () => {
    const gate = new Gate();
    let inside: Promise<unknown> | undefined;
    const app = await start({
      '/background': async ({ redis }) => {
        const lease = await redis.acquire();
        await lease.release();
        inside = redis.lease(async (own) => {
          await gate.pass();
          return own.ping();
        });
        return 'answered';
      },
    });
    await app.get('/background');
    await untilOneMoreIsBack(app);
    gate.open();
    expect(await inside).toBe('PONG');
    expect(app.pool.stats()).toMatchObject({ forgottenLeases: 1, leases: { leased: 0 } });
  });

  test('one that is acquired after the response is watched from then on', async () => {
    const gate = new Gate();
    const app = await start({
      '/late': ({ redis }) => {
        void redis.ping();
        void gate.pass().then(async () => left.push(await redis.acquire()));
        return 'answered';
      },
    });
    await app.get('/late');
    gate.open();
    await waitUntil(() => app.pool.stats().forgottenLeases === 1, { what: 'the lease is back' });
    expect(left[0]?.released).toBe(true);
  });
}
