import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisLease } from '@redis-pool/core';
import { ABORTED } from '../checks/end-of-call.js';
import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Session } from './session.js';

/** Tells which database a connection is on. */
const DATABASE_KEY = `${ARGUMENT_MARK}database`;

/** One key in each of two databases, so that a connection can be asked where it is. */
export async function prepareLeases(write: (...args: string[]) => Promise<unknown>): Promise<void> {
  await write('SET', DATABASE_KEY, '0');
  await write('COPY', DATABASE_KEY, DATABASE_KEY, 'DB', '1', 'REPLACE');
  await write('EVAL', "redis.call('SELECT', 1) return redis.call('SET', KEYS[1], '1')", '1', DATABASE_KEY);
}

/** What holders leave behind on their connection. */
const HABITS: readonly ((lease: RedisLease) => Promise<unknown>)[] = [
  async () => {},
  (lease) => lease.select(1),
  (lease) => lease.watch(DATABASE_KEY),
  (lease) => lease.multi({ pipeline: false }),
  (lease) => lease.client('SETNAME', 'somebody'),
  async (lease) => void lease.get(DATABASE_KEY).catch(() => {}),
  async (lease) => lease.destroy(),
];

/** Takes a lease, finds it clean, and leaves something behind (law 6). */
export async function leaseOnce(session: Session): Promise<void> {
  const { random, pool } = session;
  const controller = new AbortController();
  if (random.chance(0.2)) setTimeout(() => controller.abort(ABORTED), random.integer(0, 20));
  const { signal } = controller;
  const acquiring = random.chance(0.5) ? pool.acquire({ signal }) : pool.scope({ signal }).acquire();
  const acquired = await session.call(acquiring, { what: 'acquire()', limitMs: LIMITS.acquire });
  if (!('value' in acquired)) return;
  const lease = acquired.value;
  await checkClean(session, lease);
  const habit = random.pick(HABITS);
  await session.call(habit(lease), { what: 'a command on a lease', limitMs: LIMITS.command });
  if (random.chance(0.3)) await sleep(random.integer(1, 100));
  // It waits for what is not answered, and undoes what was left.
  await session.call(lease.release(), { what: 'release()', limitMs: LIMITS.command + LIMITS.command });
}

async function checkClean(session: Session, lease: RedisLease): Promise<void> {
  const asked = session.call(lease.get(DATABASE_KEY), {
    what: 'GET on a lease',
    limitMs: LIMITS.command,
  });
  const outcome = await asked;
  if (!('value' in outcome) || outcome.value === '0') return;
  const what = `a fresh lease answered ${JSON.stringify(outcome.value)} where "0" was due`;
  session.parts.violations.add('dirtyLeases', what);
}
