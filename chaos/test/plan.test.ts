import { describe, expect, test } from 'vitest';
import { parseCliOptions } from '../src/cli-options.js';
import { ALL_FAULTS } from '../src/faults/all-faults.js';
import { describeStep, type PlannedStep, planFaults } from '../src/faults/fault-plan.js';
import { ProgressLine } from '../src/progress-line.js';

function take(count: number, seed: number, pace = 1): PlannedStep[] {
  const steps: PlannedStep[] = [];
  for (const step of planFaults({ seed, kinds: ALL_FAULTS, pace })) {
    if (steps.length === count) break;
    steps.push(step);
  }
  return steps;
}

describe('the schedule of faults', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(take(200, 7).map(describeStep)).toEqual(take(200, 7).map(describeStep));
    expect(take(200, 7).map(describeStep)).not.toEqual(take(200, 8).map(describeStep));
  });

  test('has every fault once in each round, in another order', () => {
    const names = take(2 * ALL_FAULTS.length, 1).map(({ fault }) => fault.kind.name);
    const [first, second] = [names.slice(0, ALL_FAULTS.length), names.slice(ALL_FAULTS.length)];
    const all = ALL_FAULTS.map(({ name }) => name).sort();
    expect([...first].sort()).toEqual(all);
    expect([...second].sort()).toEqual(all);
    expect(first).not.toEqual(second);
  });

  test('lets faults of different layers overlap, and none that has to be alone', () => {
    const pairs = take(2_000, 3).filter(({ overlap }) => overlap !== undefined);
    expect(pairs.length).toBeGreaterThan(300);
    for (const { fault, overlap } of pairs) {
      expect(overlap?.kind.layer).not.toBe(fault.kind.layer);
      expect(fault.kind.recoversDuring ?? overlap?.kind.recoversDuring).toBeUndefined();
    }
  });

  test('keeps within the lengths of each fault, times the pace', () => {
    for (const { fault } of take(500, 5, 0.5)) {
      const [least, most] = fault.kind.ms;
      expect(fault.ms).toBeGreaterThanOrEqual(Math.floor(least * 0.5));
      expect(fault.ms).toBeLessThanOrEqual(Math.ceil(most * 0.5));
    }
  });

  test('names every fault differently', () => {
    expect(new Set(ALL_FAULTS.map(({ name }) => name)).size).toBe(ALL_FAULTS.length);
  });
});

describe('the options', () => {
  test('are minutes, seed and faults', () => {
    const options = parseCliOptions(['--minutes', '10', '--seed', '42', '--only', '^server killed']);
    expect(options).toMatchObject({ ms: 600_000, seed: 42, pace: 1 });
    expect(options.kinds).toHaveLength(2);
  });

  test('have a seed of the clock, which the report names', () => {
    expect(parseCliOptions([], 1_234_567_890).seed).toBe(567_890);
  });

  test.each([
    [['--minutes', 'x'], '--minutes takes a number from 0.01 to 1440, received x'],
    [['--minutes', ''], '--minutes takes a number'],
    [['--seed', '1.5'], '--seed takes a whole number, received 1.5'],
    [['--seed', '-1'], /--seed/],
    [['--pace', '0'], '--pace takes a number from 0.05 to 20, received 0'],
    [['--only', 'earthquake'], '--only earthquake leaves no fault; see --list'],
    [['--hours', '1'], /--hours/],
  ])('%s are refused', (args, message) => {
    expect(() => parseCliOptions(args)).toThrow(message);
  });
});

describe('the progress', () => {
  const progress = {
    elapsedMs: 61_000,
    faults: 12,
    calls: 3_000,
    errors: new Map([
      ['RP_ERR_CONNECTION_LOST', 7],
      ['aborted', 90],
    ]),
    violations: 0,
    now: 'step 12: clock jump',
  };
  const write = (isTTY: boolean) => {
    const written: string[] = [];
    const line = new ProgressLine({ isTTY, columns: 40, write: (text) => written.push(text) });
    return { written, line };
  };

  test('is one line that is overwritten on a terminal, and never longer than it', () => {
    const { written, line } = write(true);
    line.show(progress);
    line.show(progress);
    line.clear();
    const text = '61 s: 12 faults, 3000 calls, CONNECTION_LOST 7';
    expect(written).toEqual([`\r\x1b[2K${text.slice(0, 39)}`, `\r\x1b[2K${text.slice(0, 39)}`, '\r\x1b[2K']);
  });

  test('is a plain line every ten seconds elsewhere', () => {
    const { written, line } = write(false);
    for (const seconds of [5, 10, 15, 19, 20, 21]) line.show({ ...progress, elapsedMs: seconds * 1_000 });
    line.clear();
    expect(written.map((text) => text.split(':')[0])).toEqual(['10 s', '20 s']);
    expect(written[0]).toBe('10 s: 12 faults, 3000 calls, CONNECTION_LOST 7 | step 12: clock jump\n');
  });

  test('says at once that something broke', () => {
    const { written, line } = write(false);
    line.show({ ...progress, violations: 2 });
    expect(written[0]).toContain('2 BROKEN');
  });
});
