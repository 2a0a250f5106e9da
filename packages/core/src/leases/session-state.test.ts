import { describe, expect, test } from 'vitest';
import { createCommand } from '../commands/create-command.js';
import { profileOf } from '../commands/routing.js';
import { SessionState } from './session-state.js';

const HOME = { db: 2, name: 'pool:lease:1' };

function commandOf(line: string) {
  const [name = '', ...args] = line.split(' ');
  return createCommand(name, profileOf(name), args, 'utf8', undefined);
}

function stateAfter(...lines: string[]): SessionState {
  const state = new SessionState();
  for (const line of lines) state.note(commandOf(line));
  return state;
}

function cleanupOf(state: SessionState): string[] {
  return state.cleanup(HOME).map((command) => command.join(' '));
}

describe('SessionState', () => {
  test.each([
    ['get key'],
    ['blpop key 0'],
    ['xread block 0 streams s $'],
    ['wait 1 100'],
    ['client id'],
    ['CLIENT INFO'],
    ['client list'],
    ['client kill id 7'],
    ['eval return'],
    ['flushall'],
    ['script load return'],
  ])('%s leaves nothing behind', (line) => {
    const state = stateAfter(line);
    expect(state.isClean).toBe(true);
    expect(state.isDoubtful).toBe(false);
    expect(cleanupOf(state)).toEqual([]);
  });

  test.each([
    [['watch a'], ['UNWATCH']],
    [['WATCH a'], ['UNWATCH']],
    [['multi'], ['DISCARD']],
    [['watch a', 'multi', 'set a 1'], ['DISCARD']],
    [['select 5'], ['SELECT 2']],
    [['client setname mine'], ['CLIENT SETNAME pool:lease:1']],
    [['CLIENT Tracking on'], ['CLIENT TRACKING OFF']],
    [['client caching yes'], ['CLIENT TRACKING OFF']],
    [['client no-evict on'], ['CLIENT NO-EVICT OFF']],
    [['client no-touch on'], ['CLIENT NO-TOUCH OFF']],
    [['readonly'], ['READWRITE']],
    [
      ['select 5', 'select 6', 'watch a'],
      ['UNWATCH', 'SELECT 2'],
    ],
    // First out of the transaction, then the rest: inside it everything would only be queued.
    [
      ['multi', 'select 5', 'client setname x'],
      ['DISCARD', 'SELECT 2', 'CLIENT SETNAME pool:lease:1'],
    ],
  ])('after %j it is undone with %j', (lines, cleanup) => {
    const state = stateAfter(...lines);
    expect(state.isClean).toBe(false);
    expect(state.isDoubtful).toBe(false);
    expect(cleanupOf(state)).toEqual(cleanup);
    state.forget();
    expect(state.isClean).toBe(true);
  });

  test.each([
    [['watch a', 'unwatch']],
    [['watch a', 'multi', 'set a 1', 'exec']],
    [['multi', 'exec']],
    [['watch a', 'multi', 'discard']],
    [['readonly', 'readwrite']],
  ])('after %j nothing is left', (lines) => {
    expect(stateAfter(...lines).isClean).toBe(true);
  });

  // Regression: EXEC and DISCARD without MULTI are errors and leave the keys watched, but were taken for their end.
  test.each([
    [['watch a', 'exec'], ['UNWATCH']],
    [['watch a', 'discard'], ['UNWATCH']],
    [['watch a', 'multi', 'unwatch'], ['DISCARD']],
    [['readonly', 'multi', 'readwrite', 'discard'], ['READWRITE']],
  ])('after %j something is still to be undone', (lines, cleanup) => {
    expect(cleanupOf(stateAfter(...lines))).toEqual(cleanup);
  });

  test.each([
    ['auth secret'],
    ['hello 3'],
    ['reset'],
    ['asking'],
    ['client reply off'],
    ['client setinfo lib-name x'],
    ['script debug yes'],
    ['himport prepare x'],
    ['some.module command'],
  ])('%s cannot be undone for certain', (line) => {
    const state = stateAfter(line);
    expect(state.isDoubtful).toBe(true);
    expect(state.isClean).toBe(false);
  });

  test('what cannot be undone stays so, whatever is undone beside it', () => {
    const state = stateAfter('reset', 'watch a');
    state.forget();
    expect(state.isDoubtful).toBe(true);
    expect(state.isClean).toBe(false);
  });

  test.each([
    ['unwatch', 'ERR no', true],
    ['exec', 'ERR EXEC without MULTI', true],
    ['exec', 'EXECABORT Transaction discarded because of previous errors.', false],
    ['get key', 'WRONGTYPE', false],
    ['select 99', 'ERR DB index is out of range', false],
  ])('%s that was refused with "%s" makes it doubtful: %s', (line, message, doubtful) => {
    const state = stateAfter(line);
    state.noteRefusal(commandOf(line), new Error(message));
    expect(state.isDoubtful).toBe(doubtful);
  });
});
