import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ExclusivePool, type ExclusivePoolLimits, type ResourceHost, type Slot } from './exclusive-pool.js';

interface Resource {
  readonly id: number;
  usable: boolean;
}

interface Dial {
  succeed(usable?: boolean): Promise<void>;
  fail(error?: Error): Promise<void>;
}

/** Hands out numbered resources when the test says so, and keeps the books. */
class FakeHost implements ResourceHost<Resource> {
  readonly dials: Dial[] = [];
  readonly destroyed: number[] = [];
  max = 10;
  used = 0;
  up = true;
  #made = 0;

  create(): Promise<Resource> {
    return new Promise((resolve, reject) => {
      // Settled in a later microtask than the pool's own, so that the test sees what came of it.
      const settled = async (): Promise<void> => {
        for (let turn = 0; turn < 5; turn += 1) await undefined;
      };
      this.dials.push({
        succeed: (usable = true) => {
          this.#made += 1;
          resolve({ id: this.#made, usable });
          return settled();
        },
        fail: (error = new Error('refused')) => {
          reject(error);
          return settled();
        },
      });
    });
  }

  destroyOne(resource: Resource): void {
    this.destroyed.push(resource.id);
  }

  isUsable(resource: Resource): boolean {
    return resource.usable;
  }

  reserve(): boolean {
    if (this.used >= this.max) return false;
    this.used += 1;
    return true;
  }

  free(): void {
    this.used -= 1;
  }

  canCreate(): boolean {
    return this.up;
  }
}

useLeakCheck();

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function poolOf(limits: Partial<ExclusivePoolLimits> = {}) {
  const host = new FakeHost();
  const defaults = { minIdle: 0, idleMs: 30_000, maxLifetimeMs: 1_800_000, maxWaiting: 1_000 };
  return { host, pool: new ExclusivePool(host, { ...defaults, ...limits }) };
}

type Pool = ExclusivePool<Resource>;

function waitFor(pool: Pool, options: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  return pool.wait({
    timeoutMs: options.timeoutMs ?? 2_000,
    signal: options.signal,
    onTimeout: () => new Error('late'),
    onFull: () => new Error('full'),
  });
}

function acquire(pool: Pool): Promise<Slot<Resource>> {
  const slot = pool.tryAcquire();
  return slot === undefined ? waitFor(pool) : Promise.resolve(slot);
}

/** Leases `count` new resources. */
async function fill(
  { pool, host }: { pool: Pool; host: FakeHost },
  count: number,
): Promise<Slot<Resource>[]> {
  const slots: Slot<Resource>[] = [];
  while (slots.length < count) {
    const slot = waitFor(pool);
    await host.dials.at(-1)?.succeed();
    slots.push(await slot);
  }
  return slots;
}

const idOf = ({ resource }: Slot<Resource>): number => resource.id;

describe('ExclusivePool', () => {
  test('hands out last what came back first', async () => {
    const { pool, host } = poolOf();
    const slots = await fill({ pool, host }, 3);
    for (const slot of slots) pool.release(slot, true);
    expect(
      [pool.tryAcquire(), pool.tryAcquire(), pool.tryAcquire()].map((slot) => slot && idOf(slot)),
    ).toEqual([3, 2, 1]);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.counts).toEqual({ creating: 0, idle: 0, leased: 3, waiting: 0 });
  });

  test('serves waiters in the order in which they came', async () => {
    const { pool, host } = poolOf();
    host.max = 1;
    const [slot] = (await fill({ pool, host }, 1)) as [Slot<Resource>];
    const order: string[] = [];
    const waits = ['a', 'b', 'c'].map((name) =>
      waitFor(pool).then((got) => {
        order.push(name);
        pool.release(got, true);
      }),
    );
    pool.release(slot, true);
    await Promise.all(waits);
    expect(order).toEqual(['a', 'b', 'c']);
    expect(host.dials).toHaveLength(1);
  });

  test('gives a released resource to the first waiter directly, before anybody can ask', async () => {
    const { pool, host } = poolOf();
    host.max = 1;
    const [slot] = (await fill({ pool, host }, 1)) as [Slot<Resource>];
    const waiting = waitFor(pool);
    pool.release(slot, true);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.counts).toMatchObject({ idle: 0, leased: 1, waiting: 0 });
    expect(await waiting).toBe(slot);
  });

  test('takes its place of the capacity before it creates, and gives it back when that fails', async () => {
    const { pool, host } = poolOf();
    host.max = 1;
    const waits = [waitFor(pool), waitFor(pool)];
    expect(host.used).toBe(1);
    expect(host.dials).toHaveLength(1);
    host.up = false;
    await host.dials[0]?.fail();
    expect(host.used).toBe(0);
    pool.close(() => new Error('closed'));
    for (const wait of waits) await expect(wait).rejects.toThrow('closed');
  });

  test('creates no more than four at once, however many wait', async () => {
    const { pool, host } = poolOf();
    host.max = 100;
    const waits = Array.from({ length: 10 }, () => waitFor(pool));
    expect(host.dials).toHaveLength(4);
    await host.dials[0]?.succeed();
    expect(pool.counts.creating).toBe(4);
    for (let index = 1; index < 10; index += 1) await host.dials[index]?.succeed();
    expect((await Promise.all(waits)).map(idOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(host.dials).toHaveLength(10);
  });

  test('creates nothing while the host says that it makes no sense, and goes on when told', async () => {
    const { pool, host } = poolOf();
    host.up = false;
    const waiting = waitFor(pool);
    expect(host.dials).toHaveLength(0);
    host.up = true;
    pool.grow();
    await host.dials[0]?.succeed();
    expect(idOf(await waiting)).toBe(1);
  });

  test('a waiter that leaves does not stop the creation: the next waiter gets what comes', async () => {
    const { pool, host } = poolOf();
    host.max = 1;
    const controller = new AbortController();
    const leaving = waitFor(pool, { signal: controller.signal });
    const next = waitFor(pool);
    controller.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    await host.dials[0]?.succeed();
    expect(idOf(await next)).toBe(1);
    expect(host.dials).toHaveLength(1);
  });

  test('what comes when nobody waits any more becomes idle', async () => {
    const { pool, host } = poolOf();
    const waiting = waitFor(pool, { timeoutMs: 100 });
    const failed = expect(waiting).rejects.toThrow('late');
    await vi.advanceTimersByTimeAsync(100);
    await failed;
    await host.dials[0]?.succeed();
    expect(pool.counts).toEqual({ creating: 0, idle: 1, leased: 0, waiting: 0 });
    expect(pool.tryAcquire()?.resource.id).toBe(1);
  });

  test('a wait ends at its limit and leaves no timer and no listener behind', async () => {
    const { pool, host } = poolOf();
    host.up = false;
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    const failed = expect(waitFor(pool, { timeoutMs: 50, signal })).rejects.toThrow('late');
    await vi.advanceTimersByTimeAsync(49);
    expect(pool.counts.waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await failed;
    expect(pool.counts.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toHaveBeenCalledOnce();
  });

  test('a waiter that was served is settled: its signal and its limit do nothing more', async () => {
    const { pool, host } = poolOf();
    const controller = new AbortController();
    const waiting = waitFor(pool, { timeoutMs: 50, signal: controller.signal });
    await host.dials[0]?.succeed();
    controller.abort(new Error('gone'));
    await vi.advanceTimersByTimeAsync(50);
    expect(idOf(await waiting)).toBe(1);
    expect(pool.counts).toMatchObject({ leased: 1, waiting: 0 });
  });

  test('more than maxWaiting do not wait', async () => {
    const { pool, host } = poolOf({ maxWaiting: 2 });
    host.max = 1;
    const [slot] = (await fill({ pool, host }, 1)) as [Slot<Resource>];
    const waits = [waitFor(pool), waitFor(pool)];
    await expect(waitFor(pool)).rejects.toThrow('full');
    expect(pool.counts.waiting).toBe(2);
    pool.release(slot, true);
    pool.release(await (waits[0] as Promise<Slot<Resource>>), true);
    expect(await waits[1]).toBe(slot);
  });

  // Regression: with maxWaiting 0 nothing could ever be created, because the first caller had to wait for it.
  test('with maxWaiting 0 a caller waits only for what is created for it', async () => {
    const { pool, host } = poolOf({ maxWaiting: 0 });
    host.max = 1;
    const first = waitFor(pool);
    await expect(waitFor(pool)).rejects.toThrow('full');
    await host.dials[0]?.succeed();
    const slot = await first;
    await expect(waitFor(pool)).rejects.toThrow('full');
    pool.release(slot, true);
    expect(pool.tryAcquire()).toBe(slot);
  });

  test('what comes back unusable or marked so is destroyed, and its place goes to the next waiter', async () => {
    const { pool, host } = poolOf();
    host.max = 2;
    const [broken, dirty] = (await fill({ pool, host }, 2)) as [Slot<Resource>, Slot<Resource>];
    const waits = [waitFor(pool), waitFor(pool)];
    broken.resource.usable = false;
    pool.release(broken, true);
    pool.release(dirty, false);
    expect(host.destroyed).toEqual([1, 2]);
    expect(host.dials).toHaveLength(4);
    await host.dials[2]?.succeed();
    await host.dials[3]?.succeed();
    expect((await Promise.all(waits)).map(idOf)).toEqual([3, 4]);
    expect(host.used).toBe(2);
  });

  test('an idle resource that broke is not handed out', async () => {
    const { pool, host } = poolOf();
    const slots = await fill({ pool, host }, 2);
    for (const slot of slots) pool.release(slot, true);
    (slots[1] as Slot<Resource>).resource.usable = false;
    expect(pool.tryAcquire()?.resource.id).toBe(1);
    expect(host.destroyed).toEqual([2]);
  });

  test('an idle resource that ended by itself is forgotten, a leased one only when it comes back', async () => {
    const { pool, host } = poolOf();
    const [idle, leased] = (await fill({ pool, host }, 2)) as [Slot<Resource>, Slot<Resource>];
    pool.release(idle, true);
    pool.forget(idle.resource);
    pool.forget(leased.resource);
    expect(pool.counts).toEqual({ creating: 0, idle: 0, leased: 1, waiting: 0 });
    expect(host.used).toBe(1);
    leased.resource.usable = false;
    pool.release(leased, true);
    expect(host.used).toBe(0);
  });

  test('closes what is idle for idleMs, the longest idle first, and no earlier', async () => {
    const { pool, host } = poolOf({ idleMs: 1_000 });
    const [first, second] = (await fill({ pool, host }, 2)) as [Slot<Resource>, Slot<Resource>];
    pool.release(first, true);
    await vi.advanceTimersByTimeAsync(500);
    pool.release(second, true);
    await vi.advanceTimersByTimeAsync(499);
    expect(host.destroyed).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(host.destroyed).toEqual([1]);
    await vi.advanceTimersByTimeAsync(500);
    expect(host.destroyed).toEqual([1, 2]);
    expect(host.used).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('what is used again and again stays, so that the rest can go', async () => {
    const { pool, host } = poolOf({ idleMs: 1_000 });
    for (const slot of await fill({ pool, host }, 3)) pool.release(slot, true);
    for (let round = 0; round < 30; round += 1) {
      await vi.advanceTimersByTimeAsync(100);
      const slot = pool.tryAcquire() as Slot<Resource>;
      expect(slot.resource.id).toBe(3);
      pool.release(slot, true);
    }
    expect([...host.destroyed].sort()).toEqual([1, 2]);
  });

  test('keeps minIdle, from the start, beside what is leased, and through eviction', async () => {
    const { pool, host } = poolOf({ minIdle: 2, idleMs: 1_000 });
    pool.grow();
    expect(host.dials).toHaveLength(2);
    for (const dial of host.dials) await dial.succeed();
    expect(pool.counts.idle).toBe(2);
    const slot = pool.tryAcquire() as Slot<Resource>;
    expect(pool.counts.creating).toBe(1);
    await host.dials[2]?.succeed();
    pool.release(slot, true);
    expect(pool.counts.idle).toBe(3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(pool.counts.idle).toBe(2);
    expect(host.dials).toHaveLength(3);
  });

  test('retires each resource at its own age, up to a tenth earlier', async () => {
    vi.spyOn(Math, 'random').mockReturnValueOnce(0).mockReturnValueOnce(1);
    const { pool, host } = poolOf({ maxLifetimeMs: 1_000, idleMs: 1_000_000 });
    const [full, short] = (await fill({ pool, host }, 2)) as [Slot<Resource>, Slot<Resource>];
    await vi.advanceTimersByTimeAsync(899);
    pool.release(short, true);
    expect(pool.tryAcquire()).toBe(short);
    await vi.advanceTimersByTimeAsync(1);
    pool.release(short, true);
    expect(host.destroyed).toEqual([2]);
    pool.release(full, true);
    await vi.advanceTimersByTimeAsync(99);
    expect(pool.tryAcquire()).toBe(full);
    pool.release(full, true);
    await vi.advanceTimersByTimeAsync(1);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(host.destroyed).toEqual([2, 1]);
  });

  test('replaces aged idle resources where minIdle asks for them', async () => {
    const { pool, host } = poolOf({ minIdle: 1, maxLifetimeMs: 1_000, idleMs: 2_000 });
    pool.grow();
    await host.dials[0]?.succeed();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(host.destroyed).toEqual([1]);
    await host.dials[1]?.succeed();
    expect(pool.counts.idle).toBe(1);
  });

  test('after a reset nothing made before is handed out again: not idle, not leased, not on its way', async () => {
    const { pool, host } = poolOf();
    const [idle, leased] = (await fill({ pool, host }, 2)) as [Slot<Resource>, Slot<Resource>];
    pool.release(idle, true);
    // Of two waiters the first gets the idle one; the second makes the pool dial.
    const again = await acquire(pool);
    const onItsWay = waitFor(pool);
    pool.release(again, true);
    expect(await onItsWay).toBe(again);
    expect(pool.counts.creating).toBe(1);
    pool.release(again, true);
    pool.reset();
    expect(host.destroyed).toEqual([1]);
    pool.release(leased, true);
    expect(host.destroyed).toEqual([1, 2]);
    await host.dials[2]?.succeed();
    expect(host.destroyed).toEqual([1, 2, 3]);
    expect(pool.counts).toEqual({ creating: 0, idle: 0, leased: 0, waiting: 0 });
    expect(host.used).toBe(0);
    const [fresh] = (await fill({ pool, host }, 1)) as [Slot<Resource>];
    expect(idOf(fresh)).toBe(4);
  });

  test('who waits during a reset gets one made after it', async () => {
    const { pool, host } = poolOf();
    const waiting = waitFor(pool);
    pool.reset();
    await host.dials[0]?.succeed();
    expect(host.destroyed).toEqual([1]);
    await host.dials[1]?.succeed();
    expect(idOf(await waiting)).toBe(2);
  });

  test('makes room for something else with what is idle the longest', async () => {
    const { pool, host } = poolOf();
    for (const slot of await fill({ pool, host }, 2)) pool.release(slot, true);
    expect(pool.evictOne()).toBe(true);
    expect(host.destroyed).toEqual([1]);
    expect(pool.evictOne()).toBe(true);
    expect(pool.evictOne()).toBe(false);
    expect(host.used).toBe(0);
  });

  test('creates another after a failure, and tells the last one until one succeeds', async () => {
    const { pool, host } = poolOf();
    const waiting = waitFor(pool);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const error = new Error(`refused ${attempt}`);
      await host.dials.at(-1)?.fail(error);
      expect(pool.lastError).toBe(error);
      expect(host.dials).toHaveLength(attempt + 2);
      expect(host.used).toBe(1);
    }
    await host.dials.at(-1)?.succeed();
    await waiting;
    expect(pool.lastError).toBeUndefined();
  });

  test('creates none after a failure when nobody waits any more', async () => {
    const { pool, host } = poolOf();
    const controller = new AbortController();
    const waiting = waitFor(pool, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toThrow();
    await host.dials[0]?.fail();
    expect(host.dials).toHaveLength(1);
    expect(host.used).toBe(0);
  });

  test('one that is broken when it comes is destroyed, and another is created', async () => {
    const { pool, host } = poolOf();
    const waiting = waitFor(pool);
    await host.dials[0]?.succeed(false);
    expect(host.destroyed).toEqual([1]);
    expect(host.used).toBe(1);
    await host.dials[1]?.succeed();
    expect(idOf(await waiting)).toBe(2);
  });

  test('close() rejects who waits, destroys what is idle, and later whatever comes back or comes up', async () => {
    const { pool, host } = poolOf();
    const [idle, leased] = (await fill({ pool, host }, 2)) as [Slot<Resource>, Slot<Resource>];
    pool.release(idle, true);
    await acquire(pool);
    const waits = [waitFor(pool), waitFor(pool)];
    pool.release(idle, true);
    pool.close(() => new Error('closed'));
    expect(await waits[0]).toBe(idle);
    await expect(waits[1]).rejects.toThrow('closed');
    for (const dial of host.dials.slice(2)) await dial.succeed();
    pool.release(leased, true);
    pool.release(idle, true);
    expect(pool.counts).toEqual({ creating: 0, idle: 0, leased: 0, waiting: 0 });
    expect(host.used).toBe(0);
    expect([...host.destroyed].sort()).toEqual([1, 2, 3, 4].slice(0, host.dials.length));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an error of creation after close() is nobody’s', async () => {
    const { pool, host } = poolOf();
    const waiting = waitFor(pool);
    pool.close(() => new Error('closed'));
    await expect(waiting).rejects.toThrow('closed');
    await host.dials[0]?.fail();
    expect(host.used).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
