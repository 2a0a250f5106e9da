import { describe, expect, test } from 'vitest';
import { isDeadlock, type Tenant } from './deadlock.js';
import { currentHolder, Holder, isTracking, runInside, WaitingHolders } from './holder.js';

function nested(...names: string[]): Map<string, Holder> {
  const holders = new Map<string, Holder>();
  let parent: Holder | undefined;
  for (const name of names) {
    parent = new Holder(parent);
    holders.set(name, parent);
  }
  return holders;
}

describe('Holder', () => {
  test('contains itself and what is around it, not what is inside', () => {
    const holders = nested('outer', 'inner');
    const [outer, inner] = [...holders.values()] as [Holder, Holder];
    expect([inner.contains(inner), inner.contains(outer), outer.contains(inner)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('finds the innermost one that holds something', () => {
    const [outer, middle, inner] = [...nested('outer', 'middle', 'inner').values()] as [
      Holder,
      Holder,
      Holder,
    ];
    expect(inner.holding()).toBeUndefined();
    outer.holds = 1;
    expect(inner.holding()).toBe(outer);
    middle.holds = 1;
    expect(inner.holding()).toBe(middle);
  });
});

describe('WaitingHolders', () => {
  test('a wait inside marks everything around it, until the last one ends', () => {
    const waiting = new WaitingHolders();
    const [outer, inner] = [...nested('outer', 'inner').values()] as [Holder, Holder];
    const marks = () => [waiting.has(outer), waiting.has(inner)];
    waiting.add(inner);
    waiting.add(outer);
    waiting.add(inner);
    expect(marks()).toEqual([true, true]);
    waiting.remove(inner);
    waiting.remove(inner);
    expect(marks()).toEqual([true, false]);
    waiting.remove(outer);
    expect(marks()).toEqual([false, false]);
  });
});

describe('runInside()', () => {
  test('makes the holder known inside of the function, however asynchronous, and nowhere else', async () => {
    const [outer, inner] = [...nested('outer', 'inner').values()] as [Holder, Holder];
    const seen = await runInside(outer, async () => {
      const before = currentHolder();
      const within = await runInside(inner, async () => {
        await undefined;
        return currentHolder();
      });
      await undefined;
      return [before, within, currentHolder()];
    });
    expect(seen).toEqual([outer, inner, outer]);
    expect(currentHolder()).toBeUndefined();
  });

  test('passes on what the function returns and throws, also when it is not asynchronous', async () => {
    const holder = new Holder(undefined);
    expect(await runInside(holder, () => 42)).toBe(42);
    const failing = runInside(holder, () => {
      throw new Error('at once');
    });
    await expect(failing).rejects.toThrow('at once');
  });

  // Regression: after the first lease() every promise of the process cost more, for ever.
  test('costs the process nothing when no function runs', async () => {
    const holder = new Holder(undefined);
    let finish = (): void => {};
    const long = runInside(
      holder,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await runInside(holder, () => 1);
    expect(isTracking()).toBe(true);
    finish();
    await long;
    await expect(runInside(holder, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(isTracking()).toBe(false);
  });
});

describe('isDeadlock', () => {
  const me = new Holder(undefined);
  const inMe = new Holder(me);
  const other = new Holder(undefined);

  function ask(tenants: readonly Tenant[], options: { leased?: number; waiting?: Holder[] } = {}): boolean {
    const waiting = new WaitingHolders();
    for (const holder of options.waiting ?? []) waiting.add(holder);
    return isDeadlock({ holder: inMe, tenants, leased: options.leased ?? tenants.length, waiting });
  }

  test.each<[what: string, tenants: Tenant[], waiting: Holder[]]>([
    ['all leases are held by the one who asks', [me, inMe], []],
    ['the others are held by who waits too', [me, other], [other]],
  ])('holds when %s', (_, tenants, waiting) => {
    expect(ask(tenants, { waiting })).toBe(true);
  });

  test.each<[what: string, tenants: Tenant[], leased: number]>([
    ['another holder who does not wait has one', [me, other], 2],
    ['somebody has one who may give it back at any moment', [me, 'someone'], 2],
    ['a blocking command has one', [me, 'command'], 2],
    ['one is on its way from one to the next', [me], 2],
  ])('does not hold when %s', (_, tenants, leased) => {
    expect(ask(tenants, { leased })).toBe(false);
  });

  test('does not hold because somebody waits inside of a holder that is not asked for', () => {
    expect(ask([me, other], { waiting: [me] })).toBe(false);
  });
});
