import { describe, expect, test } from 'vitest';
import { createCommand } from '../commands/create-command.js';
import { profileOf } from '../commands/routing.js';
import {
  blockingTimeoutMs,
  waitClassOf,
  waitLimitMs,
  waitOf,
  withBlockingTimeout,
} from './blocking-timeout.js';

function commandOf(line: string) {
  const [name = '', ...args] = line.split(' ');
  return createCommand(name, profileOf(name), args, 'utf8', undefined);
}

const PLACES: readonly [line: string, timeoutMs: number, changed: string][] = [
  ['blpop a b 2', 2_000, 'a b 0.25'],
  ['BRPOP a 0.5', 500, 'a 0.25'],
  ['blmove a b LEFT RIGHT 3', 3_000, 'a b LEFT RIGHT 0.25'],
  ['brpoplpush a b 4', 4_000, 'a b 0.25'],
  ['bzpopmin a 1', 1_000, 'a 0.25'],
  ['bzpopmax a 1', 1_000, 'a 0.25'],
  ['blmpop 5 2 a b LEFT', 5_000, '0.25 2 a b LEFT'],
  ['bzmpop 5 1 a MIN', 5_000, '0.25 1 a MIN'],
  ['xread COUNT 1 BLOCK 700 STREAMS s 0', 700, 'COUNT 1 BLOCK 250 STREAMS s 0'],
  ['xreadgroup GROUP block block BLOCK 900 STREAMS s >', 900, 'GROUP block block BLOCK 250 STREAMS s >'],
];

describe('the timeout of a blocking command', () => {
  test.each(PLACES)('of %s is %i ms', (line, timeoutMs) => {
    expect(blockingTimeoutMs(commandOf(line))).toBe(timeoutMs);
  });

  test.each(PLACES)('%s takes another one in its own place', (line, _, changed) => {
    const command = commandOf(line);
    const before = [...command.args];
    expect(withBlockingTimeout(command, command.args, 250).join(' ')).toBe(changed);
    expect(command.args).toEqual(before);
  });

  test.each([
    ['blpop a 300', 60_000, 'a 60'],
    ['blpop a 300', 1_001, 'a 2'],
    ['blpop a 300', 999, 'a 0.999'],
    ['blpop a 300.0', 1_500, 'a 1.5'],
    ['xread BLOCK 300000 STREAMS s 0', 1_500, 'BLOCK 1500 STREAMS s 0'],
  ])('%s with another one of %i ms stays whole, for servers before 6.0', (line, timeoutMs, changed) => {
    const command = commandOf(line);
    expect(withBlockingTimeout(command, command.args, timeoutMs).join(' ')).toBe(changed);
  });

  test.each([
    ['wait 1 300', 300],
    ['waitaof 1 1 300', 300],
    ['blpop a 0', 0],
    ['xread BLOCK 0 STREAMS s $', 0],
  ])('of %s is %i ms', (line, timeoutMs) => {
    expect(blockingTimeoutMs(commandOf(line))).toBe(timeoutMs);
  });

  test.each([
    'blpop a b',
    'blpop a -1',
    'blpop a NaN',
    'blpop a Infinity',
    'blpop',
    'xread BLOCK x STREAMS s 0',
    // Regression: in slices, each rounded, it waited instead.
    'xread BLOCK 70000.5 STREAMS s 0',
  ])('of %s is none: the server refuses it', (line) => {
    expect(blockingTimeoutMs(commandOf(line))).toBeUndefined();
  });

  test('is read from a Buffer too', () => {
    const command = createCommand('blpop', profileOf('blpop'), ['a', Buffer.from('2')], 'utf8', undefined);
    expect(blockingTimeoutMs(command)).toBe(2_000);
  });
});

describe('the limit of a wait', () => {
  test('is the own timeout and then that of any command', () => {
    expect(waitLimitMs(2_000, 5_000)).toBe(7_000);
    expect(waitLimitMs(undefined, 5_000)).toBe(5_000);
  });

  test('is none when the caller wants to wait for ever', () => {
    expect(waitLimitMs(0, 5_000)).toBeUndefined();
  });

  // Regression: a longer time does not fit into a timer, which then fires at once.
  test('is none from 2^31 ms on', () => {
    expect(waitLimitMs(2_147_483_647 - 5_000, 5_000)).toBe(2_147_483_647);
    expect(waitLimitMs(2_147_483_648 - 5_000, 5_000)).toBeUndefined();
    expect(waitLimitMs(1e15, 5_000)).toBeUndefined();
  });
});

describe('the wait of several commands', () => {
  test('is the sum of their waits, for replicas too', () => {
    expect(waitOf(['blpop a 1', 'get a', 'wait 1 300', 'blpop b 2'].map(commandOf))).toBe(3_300);
  });

  test('is for ever when one of them is', () => {
    expect(waitOf(['blpop a 1', 'blpop b 0'].map(commandOf))).toBe(0);
  });

  test('is none without a wait, and inside MULTI', () => {
    expect(waitOf(['get a', 'xread STREAMS s 0'].map(commandOf))).toBeUndefined();
    const queued = commandOf('blpop a 0');
    queued.inTransaction = true;
    expect(waitOf([queued])).toBeUndefined();
    expect(waitClassOf(queued)).toBeUndefined();
  });

  test.each([
    ['blpop a 0', 'blocking'],
    ['xread BLOCK 0 STREAMS s 0', 'blocking'],
    ['wait 1 0', 'replicas'],
    ['waitaof 1 0 0', 'replicas'],
    ['client id', undefined],
    ['get a', undefined],
  ])('%s waits for %s', (line, waitClass) => {
    expect(waitClassOf(commandOf(line))).toBe(waitClass);
  });
});
