import type { RedisPool, RequestRedis } from '@redis-pool/core';
import { type End, endOf } from '../checks/end-of-call.js';
import { judgeOrder } from '../checks/order.js';
import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Session } from './session.js';

const MOST_CALLS = 40;

let callers = 0;

/**
 * A caller that appends without waiting in between, alone or in chains: the list has to be in the order of its calls
 * (law 9).
 */
export async function appendOnce(session: Session): Promise<void> {
  callers += 1;
  const key = `${ARGUMENT_MARK}order:${callers}`;
  const ends: End[] = [];
  const { random } = session;
  const client = session.pool.scope();
  const count = random.integer(2, MOST_CALLS);
  const settled: Promise<void>[] = [];
  for (let call = 0; call < count; call += 1) {
    ends[call] = 'open';
    const told = append(session, client, key, call);
    settled.push(
      told.then((end) => {
        ends[call] = end;
      }),
    );
    if (random.chance(0.2)) await new Promise(setImmediate);
  }
  await Promise.all(settled);
  await check(session, key, ends);
}

async function append(
  session: Session,
  client: RequestRedis | RedisPool,
  key: string,
  call: number,
): Promise<End> {
  const inChain = session.random.chance(0.3);
  const reply = inChain ? client.multi().rpush(key, call).execOrThrow() : client.rpush(key, call);
  const outcome = await session.call<unknown>(reply, { what: 'RPUSH in order', limitMs: LIMITS.command });
  return 'value' in outcome ? 'acknowledged' : endOf(outcome.error);
}

async function check(session: Session, key: string, ends: readonly End[]): Promise<void> {
  const { arena, violations } = session.parts;
  const list = (await arena.admin('LRANGE', key, 0, -1).catch(() => undefined)) as string[] | undefined;
  // A server that is down now has to be asked later; there are enough others.
  if (list === undefined) return;
  for (const { invariant, what } of judgeOrder(list.map(Number), (call) => ends[call] ?? 'open'))
    violations.add(invariant, what);
  if (!ends.includes('maybe')) await arena.admin('DEL', key).catch(() => {});
}
