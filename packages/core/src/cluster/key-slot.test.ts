import { describe, expect, test } from 'vitest';
import { SLOT_COUNT, slotOfKey } from './key-slot.js';

// As a server 7.0.15 answers to CLUSTER KEYSLOT.
const AT_THE_SERVER: [key: string, slot: number][] = [
  ['', 0],
  ['foo', 12_182],
  ['123456789', 12_739],
  ['{user1000}.following', 3_443],
  ['{user1000}.followers', 3_443],
  ['foo{}{bar}', 8_363],
  ['foo{{bar}}zap', 4_015],
  ['foo{bar}{zap}', 5_061],
];

describe('slotOfKey', () => {
  test.each(AT_THE_SERVER)('%j is where the server has it', (key, slot) => {
    expect(slotOfKey(key)).toBe(slot);
    expect(slotOfKey(Buffer.from(key))).toBe(slot);
  });

  test('text and its bytes have the same slot, whatever they are', () => {
    for (const key of ['grün', '{grün}x', 'x{日本}y', '😀', '}{a}', '{', '}', '{a', 'a}b{c}']) {
      expect(slotOfKey(key)).toBe(slotOfKey(Buffer.from(key)));
    }
  });

  test('a Buffer that is no text has a slot of its own bytes', () => {
    expect(slotOfKey(Buffer.from([0xff, 0x7b, 0x61, 0x7d]))).toBe(slotOfKey('a'));
    expect(slotOfKey(Buffer.from([0xff]))).not.toBe(slotOfKey(Buffer.from([0xfe])));
  });

  test('keys spread over all slots', () => {
    const slots = new Set(Array.from({ length: 200_000 }, (_, index) => slotOfKey(`key:${index}`)));
    expect(slots.size).toBeGreaterThan(SLOT_COUNT * 0.99);
    expect(Math.max(...slots)).toBeLessThan(SLOT_COUNT);
  });
});
