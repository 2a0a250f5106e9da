import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Timing } from './cell/cell-spec.js';
import { LOAD_GENERATORS, type LoadGenerator } from './http/load-generators.js';

const REPOSITORY = new URL('../../', import.meta.url);

/** The committed results, from which the page is made. */
export const PUBLISHED = fileURLToPath(new URL('docs/bench/results.json', REPOSITORY));
const LAST_RUN = fileURLToPath(new URL('.cache/bench/last-run.json', REPOSITORY));
const LAST_QUICK_RUN = fileURLToPath(new URL('.cache/bench/last-quick-run.json', REPOSITORY));

export const USAGE = `
pnpm bench                  measure everything (about 25 minutes) and show it beside the goals
  --quick                   a small, rough subset in under 90 seconds
  --only <regexp>           only what has an id like tcp/get/100B/256, http/10, memory/in-flight, idle
  --list                    print the ids and end
  --seconds <number>        length of one window (0.25; --quick 0.12); windows of HTTP are three times as long
  --rounds <number>         windows of each peer, after one to warm up (5; --quick 3)
  --retries <number>        times that a window is measured again in which others used the machine (1; --quick 0)
  --pin                     keep client and server on different cores (Linux): steadier figures of few callers
  --load <generator>        sockets or autocannon, which asks the HTTP servers (sockets)
  --json <file>             results file to add to (.cache/bench/last-run.json)
  --fresh                   start the results file anew instead of replacing what is measured again
  --publish                 add to docs/bench/results.json and make docs/benchmarks.md of it
  --page                    only make docs/benchmarks.md of docs/bench/results.json
`;

export interface CliOptions {
  readonly help: boolean;
  readonly list: boolean;
  readonly quick: boolean;
  readonly only: RegExp;
  readonly timing: Timing;
  readonly loadGenerator: LoadGenerator;
  readonly json: string;
  readonly fresh: boolean;
  readonly publish: boolean;
  readonly page: boolean;
}

/** @throws Error that names the option and what it takes */
export function parseCliOptions(args: readonly string[]): CliOptions {
  const { values } = parseArgs({ args: args.filter((argument) => argument !== '--'), options: OPTIONS });
  const { help, list, quick, fresh, publish, page, pin } = values;
  if (quick && publish) throw new Error('--quick is too rough for --publish');
  if (publish && values.json !== undefined) throw new Error('--publish excludes --json');
  return {
    ...{ help, list, quick, fresh, publish, page },
    only: new RegExp(values.only),
    timing: {
      windowMs: 1_000 * number('--seconds', values.seconds ?? (quick ? '0.12' : '0.25'), 0.01),
      rounds: Math.ceil(number('--rounds', values.rounds ?? (quick ? '3' : '5'), 1)),
      pinned: pin,
      retries: Math.ceil(number('--retries', values.retries ?? (quick ? '0' : '1'), 0)),
    },
    loadGenerator: loadGenerator(values.load),
    json: resultsPath(values.json, { publish, quick }),
  };
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h', default: false },
  list: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  retries: { type: 'string' },
  load: { type: 'string', default: 'sockets' },
  pin: { type: 'boolean', default: false },
  json: { type: 'string' },
  fresh: { type: 'boolean', default: false },
  publish: { type: 'boolean', default: false },
  page: { type: 'boolean', default: false },
} as const;

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (value >= least && Number.isFinite(value)) return value;
  throw new Error(`${name} takes a number from ${least}, received ${text}`);
}

function loadGenerator(name: string): LoadGenerator {
  const found = LOAD_GENERATORS.find((candidate) => candidate === name);
  if (found !== undefined) return found;
  throw new Error(`--load takes ${LOAD_GENERATORS.join(' or ')}, received ${name}`);
}

// pnpm runs this in bench/; a file is meant from where the user typed it.
function resultsPath(
  json: string | undefined,
  { publish, quick }: { publish: boolean; quick: boolean },
): string {
  if (json !== undefined) return resolve(process.env.INIT_CWD ?? '.', json);
  if (publish) return PUBLISHED;
  return quick ? LAST_QUICK_RUN : LAST_RUN;
}
