import { describe, expect, it } from 'vitest';
import { LoopDelay } from './loop-delay.js';

describe('LoopDelay', () => {
  it('counts what late timers tell, and nothing for punctual ones', () => {
    const delay = new LoopDelay();
    expect(delay.note(1_000, 1_003)).toBe(3);
    expect(delay).toMatchObject({ totalMs: 0, longestMs: 0 });
    expect(delay.note(2_000, 2_400)).toBe(400);
    expect(delay.note(5_000, 5_100)).toBe(100);
    expect(delay).toMatchObject({ totalMs: 500, longestMs: 400 });
  });

  it('counts one block once, however many timers it made late', () => {
    const delay = new LoopDelay();
    delay.note(2_000, 2_400);
    delay.note(1_900, 2_401);
    delay.note(2_300, 2_402);
    expect(delay.totalMs).toBe(402);
  });

  it('tells how much of a stretch of time was blocked', () => {
    const delay = new LoopDelay();
    delay.note(1_000, 1_500);
    delay.note(3_000, 3_200);
    expect(delay.blockedSince(0, 10_000)).toBe(700);
    expect(delay.blockedSince(1_400, 3_100)).toBe(200);
    expect(delay.blockedSince(1_500, 3_000)).toBe(0);
  });

  it('forgets the oldest blocks but not their sum', () => {
    const delay = new LoopDelay();
    for (let count = 0; count < 100; count += 1) delay.note(count * 1_000, count * 1_000 + 10);
    expect(delay.totalMs).toBe(1_000);
    expect(delay.blockedSince(0, 1_000_000)).toBe(160);
  });
});
