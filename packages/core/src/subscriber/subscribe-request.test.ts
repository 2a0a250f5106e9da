import { expect, test } from 'vitest';
import { parseSubscribe, type SubscribeArguments } from './subscribe-request.js';

function parse(given: Partial<SubscribeArguments>) {
  return parseSubscribe({
    kind: 'subscribe',
    channels: 'a',
    listener: undefined,
    options: undefined,
    keyPrefix: '',
    ...given,
  });
}

test('fills in every default', () => {
  expect(parse({})).toEqual({
    kind: 'subscribe',
    names: ['a'],
    listener: undefined,
    signals: [],
    bufferSize: 1_000,
    overflow: 'drop-oldest',
    onGap: undefined,
    onEnd: undefined,
    encoding: 'utf8',
  });
});

test('takes every option', () => {
  const { signal } = new AbortController();
  const listener = (): void => {};
  const rest = { bufferSize: 1, overflow: 'end', onGap: listener, onEnd: listener, encoding: 'buffer' };
  const handle = new AbortController().signal;
  const request = parse({ listener, options: { ...rest, signal }, lifetimes: [handle] });
  expect(request).toMatchObject({ listener, ...rest });
  expect(request.signals).toEqual([signal, handle]);
});

test('an option that is undefined counts as left out', () => {
  expect(parse({ options: { bufferSize: undefined, overflow: undefined, encoding: undefined } })).toEqual(
    parse({}),
  );
});

test('takes each channel once, in the order given', () => {
  expect(parse({ channels: ['b', 'a', 'b', ''] }).names).toEqual(['b', 'a', '']);
});

test('puts the key prefix in front of shard channels only', () => {
  expect(parse({ kind: 'ssubscribe', keyPrefix: 'p:' }).names).toEqual(['p:a']);
  expect(parse({ kind: 'subscribe', keyPrefix: 'p:' }).names).toEqual(['a']);
  expect(parse({ kind: 'psubscribe', keyPrefix: 'p:' }).names).toEqual(['a']);
});

const refusals: [what: string, given: Partial<SubscribeArguments>, message: RegExp][] = [
  [
    'no channel',
    { channels: undefined },
    /"channels" must be a string or a non-empty array.*received undefined/,
  ],
  ['an empty list', { channels: [] }, /"channels".*received an empty array/],
  ['a number', { channels: 1 }, /"channels".*received a number/],
  [
    'a hole in the list',
    { channels: ['a', undefined] },
    /"channels\[1\]" must be a string, received undefined/,
  ],
  ['bytes', { channels: [Buffer.from('a')] }, /"channels\[0\]" must be a string, received an object/],
  ['half a character', { channels: 'a\uD800' }, /"channel" must be well-formed Unicode/],
  [
    'a second channel as listener',
    { listener: 'b' },
    /several channels go into one array.*received a string/,
  ],
  ['options as listener', { listener: {} }, /options come third.*received an object/],
  ['options that are none', { options: 'a' }, /must be an object, received a string/],
  [
    'an unknown option',
    { options: { bufersize: 1 } },
    /Unknown option "bufersize", did you mean "bufferSize"\?/,
  ],
  [
    'no place in the buffer',
    { options: { bufferSize: 0 } },
    /"bufferSize" must be an integer from 1.*received 0/,
  ],
  ['half a place', { options: { bufferSize: 1.5 } }, /"bufferSize".*received 1.5/],
  [
    'an unknown policy',
    { options: { overflow: 'drop' } },
    /"overflow" must be "drop-oldest" or "coalesce" or "end"/,
  ],
  ['an unknown encoding', { options: { encoding: 'latin1' } }, /"encoding" must be "utf8" or "buffer"/],
  [
    'a signal that is none',
    { options: { signal: {} } },
    /"signal" must be an AbortSignal, received an object/,
  ],
  ['an onGap that is none', { options: { onGap: 1 } }, /"onGap" must be a function, received a number/],
  ['an onEnd that is none', { options: { onEnd: 'x' } }, /"onEnd" must be a function, received a string/],
];

test.each(refusals)('refuses %s', (_, given, message) => {
  expect(() => parse(given)).toThrow(
    expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION', message: expect.stringMatching(message) }),
  );
});
