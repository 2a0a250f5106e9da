import { ABORTED } from '../checks/end-of-call.js';
import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Session } from './session.js';
import { settle, writeKey } from './writes.js';

const ACCOUNTS = 6;
const OPENING = 1_000;

const accounts = Array.from({ length: ACCOUNTS }, (_, index) => `${ARGUMENT_MARK}account:${index}`);

/** WATCH, GET and EXEC have a deadline each, and a conflict starts again for as long as one command may take. */
const TRANSFER_MS = LIMITS.acquire + 4 * LIMITS.command;

export async function prepareTransfers(write: (...args: string[]) => Promise<unknown>): Promise<void> {
  await write('MSET', ...accounts.flatMap((account) => [account, String(OPENING)]));
}

/** Moves money: read, then written, and never part of it. */
export async function transferOnce(session: Session): Promise<void> {
  const { random, pool, parts } = session;
  const from = random.pick(accounts);
  const to = random.pick(accounts.filter((account) => account !== from));
  const amount = random.integer(1, 20);
  const id = parts.writes.begin(parts.step());
  const controller = new AbortController();
  const isAborted = random.chance(0.2);
  if (isAborted) setTimeout(() => controller.abort(ABORTED), random.integer(0, 20));
  const client = isAborted ? pool.scope({ signal: controller.signal }) : pool;
  const transfer = client.transaction([from, to], async (read, queue) => {
    const [has, had] = await Promise.all([read.get(from), read.get(to)]);
    queue.set(from, Number(has) - amount).set(to, Number(had) + amount);
    queue.hincrby(writeKey(id), String(id), 1);
  });
  const outcome = await session.call(transfer, { what: 'transaction()', limitMs: TRANSFER_MS });
  settle(session, [id], outcome, 'transaction()', (replies) => replies.length === 3 && replies[2] === 1);
}

/** Looks at all accounts in one moment. */
export async function checkTotal(session: Session): Promise<void> {
  const outcome = await session.call(session.pool.mget(accounts), {
    what: 'MGET of the accounts',
    limitMs: LIMITS.command,
  });
  if ('value' in outcome) judgeTotal(session, outcome.value);
}

function judgeTotal(session: Session, balances: readonly (string | null)[]): void {
  const total = balances.reduce((sum, balance) => sum + Number(balance), 0);
  if (total === ACCOUNTS * OPENING) return;
  session.parts.violations.add('brokenTransactions', `the accounts hold ${total} of ${ACCOUNTS * OPENING}`);
}

export async function checkFinalTotal(session: Session): Promise<void> {
  const balances = await session.parts.arena.admin('MGET', ...accounts);
  judgeTotal(session, balances as (string | null)[]);
}
