import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Session } from './session.js';

const KEYS = 200;
const LARGE_EVERY = 20;
const LARGE_BYTES = 60_000;

function readKey(index: number): string {
  return `${ARGUMENT_MARK}r:${index}`;
}

/** Tells its key, and is large now and then. No byte of it looks like the start of a reply. */
function readValue(index: number): string {
  const value = `value ${index} of ${ARGUMENT_MARK}`;
  return index % LARGE_EVERY === 0 ? value.padEnd(LARGE_BYTES, 'v') : value;
}

/** Writes what the reads ask for, and fills the server so that loading takes its time. */
export async function prepareReads(write: (...args: string[]) => Promise<unknown>): Promise<void> {
  await write(
    'MSET',
    ...Array.from({ length: KEYS }, (_, index) => [readKey(index), readValue(index)]).flat(),
  );
}

type Read = (session: Session) => Promise<void>;

const READS: readonly Read[] = [
  get,
  get,
  getMany,
  echo,
  async (session) => {
    const keys = [0, 1].map(() => session.random.integer(0, KEYS - 1));
    const chain = session.pool.pipeline();
    for (const key of keys) chain.get(readKey(key));
    const outcome = await session.call(chain.exec(), {
      what: 'a pipeline of reads',
      limitMs: LIMITS.command,
    });
    if (!('value' in outcome)) return;
    for (const [index, key] of keys.entries()) {
      const [error, value] = outcome.value?.[index] ?? [null, undefined];
      if (error === null) session.expect(value === readValue(key), 'a pipeline of reads', value);
      else session.noteError(error, 'a pipeline of reads');
    }
  },
];

/** A read whose reply tells its question. */
export function readOnce(session: Session): Promise<void> {
  return session.random.pick(READS)(session);
}

async function get(session: Session): Promise<void> {
  const index = session.random.integer(0, KEYS - 1);
  const outcome = await session.call(session.pool.get(readKey(index)), {
    what: 'GET',
    limitMs: LIMITS.command,
  });
  if ('value' in outcome) session.expect(outcome.value === readValue(index), 'GET', outcome.value);
}

async function getMany(session: Session): Promise<void> {
  const indexes = Array.from({ length: session.random.integer(1, 5) }, () =>
    session.random.integer(0, KEYS - 1),
  );
  const reply = session.pool.mgetBuffer(indexes.map(readKey));
  const outcome = await session.call(reply, { what: 'MGET', limitMs: LIMITS.command });
  if (!('value' in outcome)) return;
  for (const [at, index] of indexes.entries()) {
    const value = outcome.value[at]?.toString();
    session.expect(value === readValue(index), 'MGET', value);
  }
}

async function echo(session: Session): Promise<void> {
  const text = `${ARGUMENT_MARK}echo ${session.calls}`;
  const outcome = await session.call(session.pool.echo(text), { what: 'ECHO', limitMs: LIMITS.command });
  if ('value' in outcome) session.expect(outcome.value === text, 'ECHO', outcome.value);
}
