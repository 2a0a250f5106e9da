import { afterEach, describe, expect, it } from 'vitest';
import { PoolCommand } from './command.js';
import { CommandQueue } from './command-queue.js';
import { DeadlineSweep } from './deadline-sweep.js';
import { profileOf } from './routing.js';

const sweeps: DeadlineSweep[] = [];
afterEach(() => {
  for (const sweep of sweeps.splice(0)) sweep.disarm();
});

/** A queue whose commands settle at their deadline, and the time of each. */
function watched() {
  const queue = new CommandQueue();
  const expired: { name: unknown; lateMs: number }[] = [];
  const sweep = new DeadlineSweep(queue, (command, now) => {
    expired.push({ name: command.args[0], lateMs: now - command.deadline });
    command.fail(new Error('late'));
  });
  sweeps.push(sweep);
  const push = (name: string, inMs: number): PoolCommand => {
    const command = new PoolCommand('get', profileOf('get'), [name], 0, 'utf8');
    command.createPromise().catch(() => {});
    command.deadline = performance.now() + inMs;
    queue.push(command);
    sweep.arm(command.deadline);
    return command;
  };
  return { queue, expired, sweep, push };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('DeadlineSweep', () => {
  it('expires each command at its own deadline, not before', async () => {
    const { expired, push } = watched();
    push('a', 20);
    push('b', 60);
    await until(() => expired.length === 1);
    expect(expired[0]?.name).toBe('a');
    await until(() => expired.length === 2);
    expect(expired.every(({ lateMs }) => lateMs >= 0)).toBe(true);
  });

  it('leaves expired commands in the queue and passes over settled ones', async () => {
    const { queue, expired, push } = watched();
    push('a', 10);
    push('b', 10).fail(new Error('given up'));
    push('c', 10);
    await until(() => expired.length === 2);
    expect(expired.map(({ name }) => name)).toEqual(['a', 'c']);
    expect(queue.length).toBe(3);
  });

  it('lets in what arrived while the event loop was blocked', async () => {
    const { expired, push } = watched();
    const command = push('a', 10);
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
    const blockedUntil = performance.now() + 40;
    while (performance.now() < blockedUntil);
    // Stands for a reply: I/O of the turn in which the timer is late comes first.
    setImmediate(() => command.fulfil('in time', true));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(expired).toEqual([]);
  });

  it('expires nothing after it was disarmed', async () => {
    const { expired, sweep, push } = watched();
    push('a', 5);
    sweep.disarm();
    await new Promise((resolve) => setTimeout(resolve, 25));
    expect(expired).toEqual([]);
  });

  it('starts again when it is armed for a later command', async () => {
    const { expired, push } = watched();
    push('a', 5);
    await until(() => expired.length === 1);
    push('b', 5);
    await until(() => expired.length === 2);
    expect(expired[1]?.name).toBe('b');
  });
});
