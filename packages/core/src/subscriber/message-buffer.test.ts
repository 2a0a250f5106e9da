import { describe, expect, test } from 'vitest';
import type { Message } from './message.js';
import { MessageBuffer, type MessageOverflow } from './message-buffer.js';

function makeBuffer(size: number, overflow: MessageOverflow) {
  let dropped = 0;
  const onDrop = (): void => {
    dropped += 1;
  };
  const buffer = new MessageBuffer<'utf8'>({ size, overflow, onDrop });
  return { buffer, push: (text: string) => buffer.push(message(text)), dropped: () => dropped };
}

/** `channel=text` */
function message(text: string): Message {
  const [channel = '', payload = ''] = text.split('=');
  return { channel, message: payload };
}

function drain(buffer: MessageBuffer<'utf8'>): string[] {
  const all: string[] = [];
  for (let one = buffer.shift(); one !== undefined; one = buffer.shift())
    all.push(`${one.channel}=${one.message}`);
  return all;
}

describe('drop-oldest', () => {
  test('gives messages in order and loses none up to its size', () => {
    const { buffer, push, dropped } = makeBuffer(3, 'drop-oldest');
    expect([push('a=1'), push('a=2'), push('b=3')]).toEqual([true, true, true]);
    expect(buffer.length).toBe(3);
    expect(drain(buffer)).toEqual(['a=1', 'a=2', 'b=3']);
    expect([buffer.length, dropped()]).toEqual([0, 0]);
  });

  test('loses the oldest beyond its size, and counts', () => {
    const { buffer, push, dropped } = makeBuffer(2, 'drop-oldest');
    for (const text of ['a=1', 'a=2', 'a=3', 'a=4']) push(text);
    expect([buffer.length, dropped()]).toEqual([2, 2]);
    expect(drain(buffer)).toEqual(['a=3', 'a=4']);
  });

  test('works on after it was empty', () => {
    const { buffer, push } = makeBuffer(1, 'drop-oldest');
    for (const text of ['a=1', 'a=2', 'a=3']) {
      push(text);
      expect(drain(buffer)).toEqual([text]);
    }
  });
});

describe('coalesce', () => {
  test('keeps the newest of each channel in the place of the first one', () => {
    const { buffer, push, dropped } = makeBuffer(3, 'coalesce');
    for (const text of ['a=1', 'b=1', 'a=2', 'c=1', 'a=3', 'c=2']) push(text);
    expect([buffer.length, dropped()]).toEqual([3, 3]);
    expect(drain(buffer)).toEqual(['a=3', 'b=1', 'c=2']);
  });

  test('drops the oldest channel when there are more of them than places', () => {
    const { buffer, push, dropped } = makeBuffer(2, 'coalesce');
    for (const text of ['a=1', 'b=1', 'c=1', 'a=2']) push(text);
    expect([buffer.length, dropped()]).toEqual([2, 2]);
    expect(drain(buffer)).toEqual(['c=1', 'a=2']);
  });

  test('knows nothing any more of what was taken or cleared', () => {
    const { buffer, push, dropped } = makeBuffer(5, 'coalesce');
    push('a=1');
    buffer.shift();
    push('a=2');
    buffer.clear();
    push('a=3');
    expect(dropped()).toBe(0);
    expect(drain(buffer)).toEqual(['a=3']);
  });
});

describe('end', () => {
  test('refuses what does not fit and keeps what did', () => {
    const { buffer, push, dropped } = makeBuffer(2, 'end');
    expect([push('a=1'), push('a=2'), push('a=3')]).toEqual([true, true, false]);
    expect(dropped()).toBe(1);
    expect(drain(buffer)).toEqual(['a=1', 'a=2']);
  });
});

test('does not keep what is gone', () => {
  const { buffer, push } = makeBuffer(1_000, 'drop-oldest');
  for (let count = 0; count < 100_000; count += 1) push(`a=${count}`);
  expect(buffer.length).toBe(1_000);
  expect(drain(buffer).length).toBe(1_000);
});
