import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Place } from '../errors/place.js';
import { LeaseWatch } from './lease-watch.js';
import type { LeaseSlot } from './leases.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

// The watch only tells slots apart.
const slot = (): LeaseSlot => ({}) as LeaseSlot;

function watchOf(afterMs: number) {
  const reports: { heldMs: number; place: Place }[] = [];
  return { reports, watch: new LeaseWatch(afterMs, (heldMs, place) => reports.push({ heldMs, place })) };
}

describe('LeaseWatch', () => {
  test('reports a lease that is held for too long once, with the place of its acquire', () => {
    const { watch, reports } = watchOf(1_000);
    const place = new Place();
    watch.add(slot(), place);
    vi.advanceTimersByTime(999);
    expect(reports).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reports).toEqual([{ heldMs: 1_000, place }]);
    vi.advanceTimersByTime(100_000);
    expect(reports).toHaveLength(1);
  });

  test('reports each lease at its own time', () => {
    const { watch, reports } = watchOf(1_000);
    const places = [new Place(), new Place()];
    watch.add(slot(), places[0] as Place);
    vi.advanceTimersByTime(400);
    watch.add(slot(), places[1] as Place);
    vi.advanceTimersByTime(600);
    expect(reports.map(({ place }) => place)).toEqual([places[0]]);
    vi.advanceTimersByTime(400);
    expect(reports).toEqual([
      { heldMs: 1_000, place: places[0] },
      { heldMs: 1_000, place: places[1] },
    ]);
  });

  test('says nothing of a lease that came back, and goes on with the others', () => {
    const { watch, reports } = watchOf(1_000);
    const [back, held] = [slot(), slot()];
    watch.add(back, new Place());
    vi.advanceTimersByTime(500);
    watch.add(held, new Place());
    watch.remove(back);
    vi.advanceTimersByTime(999);
    expect(reports).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reports).toHaveLength(1);
  });

  test('watches again after a time with nothing to watch', () => {
    const { watch, reports } = watchOf(1_000);
    const first = slot();
    watch.add(first, new Place());
    watch.remove(first);
    vi.advanceTimersByTime(5_000);
    watch.add(slot(), new Place());
    vi.advanceTimersByTime(1_000);
    expect(reports).toHaveLength(1);
  });

  test('has one timer for all leases, and none after close()', () => {
    const { watch, reports } = watchOf(1_000);
    for (let count = 0; count < 100; count += 1) watch.add(slot(), new Place());
    expect(vi.getTimerCount()).toBe(1);
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(reports).toEqual([]);
  });

  test('does nothing when it is turned off with 0', () => {
    const { watch, reports } = watchOf(0);
    watch.add(slot(), new Place());
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000_000);
    expect(reports).toEqual([]);
  });
});
