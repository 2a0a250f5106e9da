/** One call: the name of the command in lower case, and its arguments. */
export type Call = readonly [name: string, ...args: unknown[]];

/** A call as data: a command line of plain words, or an array where an argument is something else. */
export type Sample = string | readonly unknown[];

/** Calls that share a seed. Each one runs on its own fresh keyspace that holds nothing but the seed. */
export interface SampleGroup {
  readonly title: string;
  readonly seed: readonly Sample[];
  /** Equal replies, equal errors, equal keyspace afterwards. */
  readonly exact: readonly Sample[];
  /** Replies that hold a time, a counter or a random choice: equal in structure and types. */
  readonly byShape?: readonly Sample[];
  /** As `exact`; they may hold their connection, so that the pool gives them one of their own outside of MULTI. */
  readonly blocking?: readonly Sample[];
}

/** Command lines out of a block of text, separated by line breaks and bars. */
export function samples(text: string): readonly string[] {
  return text
    .split(/\n|\|/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

export function toCall(sample: Sample): Call {
  const [name, ...args] = typeof sample === 'string' ? sample.split(' ') : sample;
  if (typeof name !== 'string') throw new Error(`A sample begins with a name: ${String(sample)}`);
  return [name, ...args];
}
