import { describe, expect, it } from 'vitest';
import { PoolCommand } from './command.js';
import { CommandQueue } from './command-queue.js';
import { profileOf } from './routing.js';

function commands(...names: string[]): PoolCommand[] {
  return names.map((name) => new PoolCommand('get', profileOf('get'), [name], 0, 'utf8'));
}

function namesOf(list: readonly PoolCommand[]): unknown[] {
  return list.map(({ args }) => args[0]);
}

describe('CommandQueue', () => {
  it('gives commands back in the order in which they came', () => {
    const queue = new CommandQueue();
    for (const command of commands('a', 'b', 'c')) queue.push(command);
    expect(queue.length).toBe(3);
    expect(queue.shift()?.args).toEqual(['a']);
    expect(namesOf(queue.takeAll())).toEqual(['b', 'c']);
    expect(queue.length).toBe(0);
    expect(queue.shift()).toBeUndefined();
  });

  it('takes commands again after it was emptied', () => {
    const queue = new CommandQueue();
    const [first, second] = commands('a', 'b') as [PoolCommand, PoolCommand];
    queue.push(first);
    queue.shift();
    queue.push(second);
    queue.push(first);
    expect(namesOf(queue.takeAll())).toEqual(['b', 'a']);
  });

  it('puts commands in front of all others and keeps their order', () => {
    const queue = new CommandQueue();
    for (const command of commands('c', 'd')) queue.push(command);
    queue.prepend(commands('a', 'b'));
    expect(queue.length).toBe(4);
    for (const command of commands('e')) queue.push(command);
    expect(namesOf(queue.takeAll())).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('takes commands in front while it is empty, and others behind them', () => {
    const queue = new CommandQueue();
    queue.prepend(commands('a', 'b'));
    for (const command of commands('c')) queue.push(command);
    expect(namesOf(queue.takeAll())).toEqual(['a', 'b', 'c']);
    queue.prepend([]);
    expect(queue.length).toBe(0);
  });
});
