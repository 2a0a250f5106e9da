import { describe, expect, test } from 'vitest';
import { type Waiter, WaiterList } from './waiter-list.js';

interface NamedWaiter extends Waiter<string> {
  readonly name: string;
}

function waiter(name: string): NamedWaiter {
  return { name, resolve() {}, reject() {}, previous: undefined, next: undefined, queued: false };
}

function listOf(...waiters: Waiter<string>[]): WaiterList<string> {
  const list = new WaiterList<string>();
  for (const each of waiters) list.push(each);
  return list;
}

function namesIn(list: WaiterList<string>): string[] {
  const names: string[] = [];
  for (let first = list.shift(); first !== undefined; first = list.shift())
    names.push((first as NamedWaiter).name);
  return names;
}

describe('WaiterList', () => {
  test('gives waiters back in the order in which they came', () => {
    const list = listOf(waiter('a'), waiter('b'), waiter('c'));
    expect(list.length).toBe(3);
    expect(namesIn(list)).toEqual(['a', 'b', 'c']);
    expect(list.length).toBe(0);
    expect(list.shift()).toBeUndefined();
  });

  test.each([
    [0, ['b', 'c']],
    [1, ['a', 'c']],
    [2, ['a', 'b']],
  ])('a waiter that leaves from place %i leaves the others in order', (place, left) => {
    const waiters = [waiter('a'), waiter('b'), waiter('c')];
    const list = listOf(...waiters);
    list.remove(waiters[place] as Waiter<string>);
    expect(list.length).toBe(2);
    expect(namesIn(list)).toEqual(left);
  });

  test('leaving twice, or after having been taken out, changes nothing', () => {
    const [a, b] = [waiter('a'), waiter('b')];
    const list = listOf(a, b);
    list.remove(a);
    list.remove(a);
    expect(list.length).toBe(1);
    expect(list.shift()).toBe(b);
    list.remove(b);
    expect(list.length).toBe(0);
  });

  test('takes waiters again after it was empty', () => {
    const only = waiter('a');
    const list = listOf(only);
    list.remove(only);
    list.push(waiter('b'));
    list.push(only);
    expect(namesIn(list)).toEqual(['b', 'a']);
  });

  test('a waiter that left keeps no other one alive', () => {
    const [a, b, c] = [waiter('a'), waiter('b'), waiter('c')];
    listOf(a, b, c).remove(b);
    expect([b.previous, b.next, b.queued]).toEqual([undefined, undefined, false]);
  });

  test('leaving takes the same time from the middle of a hundred thousand as from the middle of ten', () => {
    const waiters = Array.from({ length: 100_000 }, (_, index) => waiter(`${index}`));
    const list = listOf(...waiters);
    // A search from either end would need billions of steps for this, which is minutes.
    const fromTheMiddle = [...waiters].sort(
      (one, other) => Math.abs(Number(one.name) - 50_000) - Math.abs(Number(other.name) - 50_000),
    );
    const startedAt = performance.now();
    for (const each of fromTheMiddle) list.remove(each);
    expect(list.length).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
