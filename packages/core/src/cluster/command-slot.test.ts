import { describe, expect, test } from 'vitest';
import { createCommand } from '../commands/create-command.js';
import { profileOf } from '../commands/routing.js';
import { KEYLESS, slotOfCommand, UNPLACED } from './command-slot.js';
import { slotOfKey } from './key-slot.js';

function place(name: string, ...args: string[]): number {
  return slotOfCommand(createCommand(name, profileOf(name), args, 'utf8', undefined), () => undefined);
}

describe('slotOfCommand', () => {
  test.each([
    ['get', 'k'],
    ['set', 'k', 'v'],
    ['hset', 'k', 'f', 'v'],
    ['object', 'encoding', 'k'],
    ['xgroup', 'create', 'k', 'g', '$'],
    ['eval', 'return 1', '1', 'k', 'not-a-key'],
    ['blpop', 'k', '0'],
    ['xread', 'COUNT', '1', 'STREAMS', 'k', '0'],
    ['xreadgroup', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>'],
    ['spublish', 'k', 'message'],
    ['sort', 'k', 'BY', 'nosort', 'GET', 'other_*', 'LIMIT', '0', '1'],
    ['bitop', 'AND', 'k', '{k}1', '{k}2'],
    ['mset', 'k', 'v', '{k}x', 'w'],
    ['zunionstore', 'k', '2', '{k}1', '{k}2'],
    ['georadius', 'k', '0', '0', '1', 'km', 'STORE', '{k}x'],
    ['migrate', 'host', '1', 'k', '0', '1'],
  ])('%s %s %s goes where its key is', (name, ...args) => {
    expect(place(name, ...args)).toBe(slotOfKey('k'));
  });

  test.each([
    ['ping'],
    ['publish', 'k', 'm'],
    ['eval', 'return 1', '0', 'no-key'],
    ['script', 'load', 'x'],
    ['get'],
    ['eval', 'return 1', '1700000000000', 'k'],
    ['zunion', '200000', 'k'],
  ])('%s %s has no key', (name, ...args) => {
    expect(place(name, ...args)).toBe(KEYLESS);
  });

  test.each([
    ['mget', 'a', 'b'],
    ['mset', 'a', '1', 'b', '2'],
    ['rename', 'a', 'b'],
    ['sort', 'a', 'STORE', 'b'],
    ['eval', 'return 1', '2', 'a', 'b'],
    ['georadius', 'a', '0', '0', '1', 'km', 'STORE', 'b'],
    ['blpop', 'a', 'b', '0'],
  ])('%s %s %s is refused by name, without its keys', (name, ...args) => {
    expect(() => place(name, ...args)).toThrow(
      expect.objectContaining({
        code: 'RP_ERR_CROSS_SLOT',
        maybeExecuted: false,
        message: expect.stringMatching(
          new RegExp(`^${name.toUpperCase()} has keys of several slots, .*hash tag`),
        ),
      }),
    );
  });

  test.each(['scan', 'keys', 'dbsize', 'randomkey', 'flushall', 'flushdb'])(
    '%s is refused: a node has some of the keys only',
    (name) => {
      expect(() => place(name)).toThrow(/one node of the cluster only: pool\.scanStream\(\)/);
    },
  );

  test('the keys of a module command are known when the server was asked', () => {
    const command = createCommand('json.set', profileOf('json.set'), ['k', '$', '1'], 'utf8', undefined);
    expect(slotOfCommand(command, () => undefined)).toBe(UNPLACED);
    expect(slotOfCommand(command, () => [0])).toBe(slotOfKey('k'));
    expect(slotOfCommand(command, () => [])).toBe(KEYLESS);
  });
});
