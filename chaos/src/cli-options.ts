import { parseArgs } from 'node:util';
import { ALL_FAULTS } from './faults/all-faults.js';
import type { FaultKind } from './faults/fault.js';

export const USAGE = `
pnpm chaos                  faults at random under a mixed load, for a minute
  --minutes <number>        how long (1)
  --seed <number>           the same seed is the same schedule of faults (of the clock)
  --only <regexp>           only faults whose name it matches
  --pace <number>           lengths of faults and pauses are multiplied with it (1)
  --plan <number>           only print so many steps of the schedule
  --list                    print the faults and end

Exit code 1: something that must hold did not; 2: the run itself failed.`;

export interface CliOptions {
  readonly help: boolean;
  readonly list: boolean;
  readonly plan: number;
  readonly ms: number;
  readonly seed: number;
  readonly pace: number;
  readonly kinds: readonly FaultKind[];
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h', default: false },
  list: { type: 'boolean', default: false },
  minutes: { type: 'string', default: '1' },
  seed: { type: 'string' },
  only: { type: 'string', default: '' },
  pace: { type: 'string', default: '1' },
  plan: { type: 'string', default: '0' },
} as const;

const MOST_MINUTES = 24 * 60;
const MOST_SEED = 2 ** 32 - 1;

/** @throws Error that names the option and what it takes */
export function parseCliOptions(args: readonly string[], now = Date.now()): CliOptions {
  const { values } = parseArgs({ args: args.filter((argument) => argument !== '--'), options: OPTIONS });
  const { help, list } = values;
  const seed = values.seed === undefined ? now % 1_000_000 : number('--seed', values.seed, [0, MOST_SEED]);
  if (!Number.isInteger(seed)) throw new Error(`--seed takes a whole number, received ${values.seed}`);
  const only = new RegExp(values.only);
  const kinds = ALL_FAULTS.filter(({ name }) => only.test(name));
  if (kinds.length === 0) throw new Error(`--only ${values.only} leaves no fault; see --list`);
  return {
    ...{ help, list, seed, kinds },
    ms: 60_000 * number('--minutes', values.minutes, [0.01, MOST_MINUTES]),
    pace: number('--pace', values.pace, [0.05, 20]),
    plan: number('--plan', values.plan, [0, 100_000]),
  };
}

function number(name: string, text: string, [least, most]: readonly [number, number]): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new Error(`${name} takes a number from ${least} to ${most}, received ${text}`);
}
