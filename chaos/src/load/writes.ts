import type { RedisPipeline } from '@redis-pool/core';
import { ABORTED, endOf, isErrorReply } from '../checks/end-of-call.js';
import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Outcome, type Session } from './session.js';

const IDS_PER_KEY = 64;

export function writeKey(id: number): string {
  return `${ARGUMENT_MARK}w:${Math.floor(id / IDS_PER_KEY)}`;
}

/** The hash keys of so many writes, each with the first id that it counts. */
export function* writeKeys(count: number): Generator<{ readonly key: string; readonly firstId: number }> {
  for (let firstId = 0; firstId < count; firstId += IDS_PER_KEY) yield { key: writeKey(firstId), firstId };
}

export const IDS_IN_KEY = IDS_PER_KEY;

/** Script of the pool: a write that answers with its question. */
export const COUNT_SCRIPT = {
  lua: "return {ARGV[1], redis.call('HINCRBY', KEYS[1], ARGV[1], 1)}",
  numberOfKeys: 1,
} as const;

/** A pool with that script. */
interface WithScript {
  count(key: string, id: number): Promise<unknown>;
}

type Write = (session: Session, ids: readonly number[]) => Promise<void>;

const WAYS: readonly Write[] = [
  ...[single, single, script, pipeline, multi],
  ...[onLease, durably, large, aborted, late],
];

/** Large enough to fill a socket that is not read. */
const BALLAST = 'b'.repeat(200_000);
const BALLAST_CHANCE = 0.1;

/** Writes that count themselves, in all the ways that there are. */
export function writeOnce(session: Session): Promise<void> {
  const { random, parts } = session;
  const way = random.pick(WAYS);
  const isOne = way === single || way === script || way === late;
  const count = isOne ? 1 : random.integer(1, 5);
  const ids = Array.from({ length: count }, () => parts.writes.begin(parts.step()));
  return way(session, ids);
}

async function single(session: Session, [id = 0]: readonly number[]): Promise<void> {
  const reply = session.pool.hincrby(writeKey(id), String(id), 1);
  const outcome = await session.call(reply, { what: 'HINCRBY', limitMs: LIMITS.command });
  settle(session, [id], outcome, 'HINCRBY', (value) => value === 1);
}

async function script(session: Session, [id = 0]: readonly number[]): Promise<void> {
  const reply = (session.pool as unknown as WithScript).count(writeKey(id), id);
  const outcome = await session.call(reply, { what: 'a script', limitMs: LIMITS.command });
  settle(session, [id], outcome, 'a script', (value) => isSame(value, [String(id), 1]));
}

async function pipeline(session: Session, ids: readonly number[]): Promise<void> {
  const chain = fill(session.pool.pipeline(), ids);
  const outcome = await session.call(chain.exec(), { what: 'a pipeline', limitMs: LIMITS.command });
  settleChain(session, ids, outcome, 'a pipeline');
}

async function multi(session: Session, ids: readonly number[]): Promise<void> {
  const chain = fill(session.pool.multi(), ids);
  const outcome = await session.call(chain.exec(), { what: 'MULTI', limitMs: LIMITS.command });
  settleChain(session, ids, outcome, 'MULTI');
}

async function onLease(session: Session, ids: readonly number[]): Promise<void> {
  const work = session.pool.lease((lease) => fill(lease.multi(), ids).exec());
  const limitMs = LIMITS.acquire + 2 * LIMITS.command;
  const outcome = await session.call(work, { what: 'MULTI on a lease', limitMs });
  settleChain(session, ids, outcome, 'MULTI on a lease');
}

/** There is no replica: WAIT gives up, and the writes are there all the same. */
async function durably(session: Session, ids: readonly number[]): Promise<void> {
  const waitMs = session.random.integer(1, 50);
  const work = session.pool.writeDurably((queue) => fill(queue, ids), { replicas: 1, timeoutMs: waitMs });
  const limitMs = LIMITS.acquire + 2 * LIMITS.command + waitMs;
  const outcome = await session.call(work, { what: 'writeDurably()', limitMs });
  // The first error reply rejects it; others of the same pipeline may have run.
  const isMixed = 'error' in outcome && isErrorReply(outcome.error);
  const isRight = (value: { readonly replies: unknown[] }) =>
    isSame(value.replies, [...ids.map(() => 1), tag(ids)]);
  settle(session, ids, isMixed ? { error: new Error('mixed') } : outcome, 'writeDurably()', isRight);
}

/** A pipeline that may lie in front of the socket for a while. */
async function large(session: Session, ids: readonly number[]): Promise<void> {
  const chain = fill(session.pool.pipeline(), ids);
  if (session.random.chance(BALLAST_CHANCE)) chain.set(`${ARGUMENT_MARK}ballast`, BALLAST);
  const outcome = await session.call(chain.exec(), { what: 'a large pipeline', limitMs: LIMITS.command });
  settleChain(session, ids, outcome, 'a large pipeline');
}

async function aborted(session: Session, ids: readonly number[]): Promise<void> {
  const controller = new AbortController();
  const scope = session.pool.scope({ signal: controller.signal });
  const chain = fill(session.random.chance(0.5) ? scope.pipeline() : scope.multi(), ids).exec();
  setTimeout(() => controller.abort(ABORTED), session.random.integer(0, 10));
  const outcome = await session.call(chain, { what: 'a chain of an aborted scope', limitMs: 20 });
  settleChain(session, ids, outcome, 'a chain of an aborted scope');
}

async function late(session: Session, [id = 0]: readonly number[]): Promise<void> {
  const timeoutMs = session.random.integer(1, 100);
  const reply = session.pool.scope({ timeoutMs }).hincrby(writeKey(id), String(id), 1);
  const outcome = await session.call(reply, {
    what: 'HINCRBY of a scope with a deadline',
    limitMs: timeoutMs,
  });
  settle(session, [id], outcome, 'HINCRBY of a scope with a deadline', (value) => value === 1);
}

function fill(chain: RedisPipeline, ids: readonly number[]): RedisPipeline {
  for (const id of ids) chain.hincrby(writeKey(id), String(id), 1);
  return chain.echo(tag(ids));
}

function tag(ids: readonly number[]): string {
  return `${ARGUMENT_MARK}chain:${ids.join()}`;
}

export function settle<T>(
  session: Session,
  ids: readonly number[],
  outcome: Outcome<T>,
  what: string,
  isRight: (value: T) => boolean,
): void {
  const { writes } = session.parts;
  const end = 'value' in outcome ? 'acknowledged' : endOf(outcome.error);
  for (const id of ids) writes.settle(id, end);
  if ('value' in outcome) session.expect(isRight(outcome.value), what, outcome.value);
}

type Entry = readonly [error: Error | null, value: unknown];

/** A chain may have error replies for some of its commands: those were not executed. */
function settleChain(
  session: Session,
  ids: readonly number[],
  outcome: Outcome<readonly Entry[] | null>,
  what: string,
): void {
  if (!('value' in outcome) || outcome.value === null) {
    settle(session, ids, outcome, what, () => false);
    return;
  }
  const entries = outcome.value;
  const { writes } = session.parts;
  for (const [index, id] of ids.entries()) {
    const [error, value] = entries[index] ?? [null, undefined];
    if (error !== null && error !== undefined) session.noteError(error, what);
    else session.expect(value === 1, what, value);
    writes.settle(id, error === null || error === undefined ? 'acknowledged' : endOf(error));
  }
  const [error, echoed] = entries[ids.length] ?? [null, undefined];
  if (error === null) session.expect(echoed === tag(ids), what, echoed);
}

function isSame(value: unknown, expected: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(expected);
}
