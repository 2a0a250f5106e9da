import { randomBytes } from 'node:crypto';
import type { Redis } from './scripts.js';

export interface Session {
  readonly name: string;
  readonly since: string;
}

/** Name of the cookie that holds a session's id. */
export const SESSION_COOKIE = 'sid';

/** Of 32 random bytes; anything else that a client sends is no session, and is not looked up. */
const SESSION_ID = /^[A-Za-z0-9_-]{43}$/;

/** Begins a session, and ends the one that the client had: an id from before a login is worth nothing after it. */
export async function beginSession(
  redis: Redis,
  session: Session,
  { ttlSeconds, replaces }: { readonly ttlSeconds: number; readonly replaces: unknown },
): Promise<string> {
  await endSession(redis, replaces);
  const id = randomBytes(32).toString('base64url');
  await redis.set(keyOf(id), JSON.stringify(session), 'EX', ttlSeconds);
  return id;
}

/** The session of that id, which now lasts for `ttlSeconds` again. */
export async function findSession(
  redis: Redis,
  id: unknown,
  ttlSeconds: number,
): Promise<Session | undefined> {
  if (!isSessionId(id)) return undefined;
  const session = await redis.getex(keyOf(id), 'EX', ttlSeconds);
  return session === null ? undefined : (JSON.parse(session) as Session);
}

export async function endSession(redis: Redis, id: unknown): Promise<void> {
  if (isSessionId(id)) await redis.del(keyOf(id));
}

function isSessionId(id: unknown): id is string {
  return typeof id === 'string' && SESSION_ID.test(id);
}

function keyOf(id: string): string {
  return `session:${id}`;
}
