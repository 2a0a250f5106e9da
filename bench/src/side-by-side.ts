import { quietest } from './machine/quietest.js';
import { median, medianRatio } from './results/median.js';

const CALLERS = Number(process.env.CALLERS ?? 0);
const ROUNDS = Number(process.env.ROUNDS ?? 20);
const WARM_UP_ROUNDS = 2;
const WINDOW_MS = 250;
const KEYS = 10_000;
const RETRIES = 4;

/** One of those that are compared. */
export interface Contestant {
  readonly name: string;
  get(key: string): Promise<unknown>;
}

export interface Comparison {
  /** The first one is what the others are compared with. */
  readonly contestants: readonly Contestant[];
  /** CALLERS in the environment wins. */
  readonly callers: number;
  /** Of the servers; all other processes than these and this one are foreign. */
  readonly pids: readonly number[];
}

/** Writes what the GETs read: 100 bytes each, that begin with their key. */
export async function fillKeys(set: (key: string, value: string) => Promise<unknown>): Promise<void> {
  const keys = Array.from({ length: KEYS }, (_, index) => `key:${index}`);
  await Promise.all(keys.map((key) => set(key, `${key} `.padEnd(100, 'x'))));
}

/** GETs of 100 bytes from many callers, a window for each contestant in turn; a table of medians and ratios. */
export async function compareGets(comparison: Comparison): Promise<string> {
  const { contestants } = comparison;
  const callers = CALLERS || comparison.callers;
  const pids = [process.pid, ...comparison.pids];
  const rates = contestants.map((): number[] => []);
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      // A different one first each time.
      const index = (turn + round + WARM_UP_ROUNDS) % contestants.length;
      const contestant = contestants[index] as Contestant;
      const rate = await quietest(() => measure(contestant, callers), { pids, retries: RETRIES });
      if (round >= 0) rates[index]?.push(rate);
    }
  }
  const rows = contestants.map(({ name }, index) => {
    const own = rates[index] ?? [];
    const ratio = medianRatio(own, rates[0] ?? []).toFixed(2);
    return `${name.padEnd(32)} ${Math.round(median(own)).toString().padStart(8)} GET/s  ${ratio} x`;
  });
  return [...rows, `${callers} callers, medians of ${ROUNDS} rounds`].join('\n');
}

/** Callers that each ask again as soon as they are answered; returns answers per second. */
async function measure({ get }: Contestant, callers: number): Promise<number> {
  const startedAt = performance.now();
  const endsAt = startedAt + WINDOW_MS;
  let answered = 0;
  const call = async (caller: number): Promise<void> => {
    for (let turn = caller; performance.now() < endsAt; turn += callers) {
      const key = `key:${turn % KEYS}`;
      const value = await get(key);
      if (!String(value).startsWith(`${key} `)) throw new Error('The value of another key');
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  return answered / ((performance.now() - startedAt) / 1_000);
}
