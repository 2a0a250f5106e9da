import { expect, test } from 'vitest';
import { IncomingMessage } from './message.js';

test('is decoded once per encoding, into a message that nobody can change for the others', () => {
  const message = new IncomingMessage('a', Buffer.from('grün'), 'a*');
  expect(message.as('utf8')).toEqual({ channel: 'a', pattern: 'a*', message: 'grün' });
  expect(message.as('utf8')).toBe(message.as('utf8'));
  expect(message.as('buffer')).toEqual({ channel: 'a', pattern: 'a*', message: Buffer.from('grün') });
  expect(message.as('buffer')).toBe(message.as('buffer'));
  expect(Object.isFrozen(message.as('utf8')) && Object.isFrozen(message.as('buffer'))).toBe(true);
});

test('has no pattern where there is none', () => {
  const message = new IncomingMessage('a', Buffer.alloc(0));
  expect(Object.keys(message.as('utf8'))).toEqual(['channel', 'message']);
});

test('a few bytes do not keep the chunk that they came in', () => {
  const chunk = Buffer.alloc(65_536, 'x');
  const { message } = new IncomingMessage('a', chunk.subarray(100, 110)).as('buffer');
  expect(message).toEqual(Buffer.from('xxxxxxxxxx'));
  expect(message.buffer).not.toBe(chunk.buffer);
});

test('a payload that is most of its chunk is not copied', () => {
  const chunk = Buffer.alloc(65_536, 'x');
  const { message } = new IncomingMessage('a', chunk.subarray(100)).as('buffer');
  expect(message.buffer).toBe(chunk.buffer);
});
