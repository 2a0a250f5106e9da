import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import type { CallForm } from './call-forms.js';
import { type Outcome, outcomeOf, shapeOf } from './outcome.js';
import { type Client, untyped } from './peers.js';
import { type Call, type Sample, type SampleGroup, toCall } from './sample-group.js';

/** One sample, with the group that it is of. */
export interface Row {
  readonly group: SampleGroup;
  readonly call: Call;
  readonly compare: 'exact' | 'shape';
}

export function rowsOf(group: SampleGroup): Row[] {
  const rows = (samples: readonly Sample[], compare: Row['compare']): Row[] =>
    samples.map((sample) => ({ group, call: toCall(sample), compare }));
  return [
    ...rows([...group.exact, ...(group.blocking ?? [])], 'exact'),
    ...rows(group.byShape ?? [], 'shape'),
  ];
}

export const nameOf = ({ call }: Row): string => call[0];

export const labelOf = ({ group, call }: Row): string => `${group.title}: ${call.map(String).join(' ')}`;

/** What a call came to, and what it left behind: a digest of every key in every database. */
export interface Observation {
  readonly outcome: Outcome;
  readonly keyspace: unknown;
}

/** Runs samples, each on a keyspace of its own, which it fills and inspects through a connection of its own. */
export class Observer {
  readonly #redis: Redis;
  /** Lower-case names of the server's commands. */
  readonly known: ReadonlySet<string>;

  constructor(redis: Redis, known: ReadonlySet<string>) {
    this.#redis = redis;
    this.known = known;
  }

  async observe(client: Client, rows: readonly Row[], form: CallForm): Promise<Observation[]> {
    const observations: Observation[] = [];
    await this.#nextKeyspace(rows[0]);
    for (const [index, row] of rows.entries()) {
      const outcome = await outcomeOf(() => form.run(client, row.call));
      const keyspace = await this.#nextKeyspace(rows[index + 1]);
      observations.push({ outcome, keyspace });
    }
    return observations;
  }

  /** Takes the digest of what the last sample left, and seeds for the next one, in one round trip. */
  async #nextKeyspace(row: Row | undefined): Promise<unknown> {
    const chain = untyped(this.#redis.pipeline().call('DEBUG', 'DIGEST').flushall());
    for (const sample of row?.group.seed ?? []) {
      const call = toCall(sample);
      if (this.known.has(call[0])) chain.call(...call);
    }
    const results = (await chain.exec()) as [error: Error | null, reply: unknown][];
    const failed = results.find(([error]) => error !== null)?.[0];
    if (failed) throw new Error(`The seed of "${row?.group.title}" failed`, { cause: failed });
    return results[0]?.[1];
  }
}

/** The rows whose observations are not equal, with both. */
export function differencesBetween(
  rows: readonly Row[],
  ioredis: readonly Observation[],
  pool: readonly Observation[],
): object[] {
  return rows.flatMap((row, index) => {
    const pair = [ioredis[index], pool[index]].map((one) =>
      row.compare === 'shape' ? shapeOf(one?.outcome) : one,
    );
    return isDeepStrictEqual(pair[0], pair[1])
      ? []
      : [{ row: labelOf(row), ioredis: pair[0], pool: pair[1] }];
  });
}
