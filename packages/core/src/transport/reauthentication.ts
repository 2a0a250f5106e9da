import type { Auth } from '../options/resolved-options.js';
import type { Connection } from './connection.js';

/**
 * Says on an open connection who is there from now on. Resolves with `false` where that cannot be said: a subscriber
 * that speaks RESP2 takes no AUTH, and keeps what it has. Rejects when the server refuses; then, too, the connection
 * keeps what it has.
 */
export async function reauthenticate(connection: Connection, auth: Auth): Promise<boolean> {
  const { role, redis } = connection;
  if (role === 'subscriber' && redis.condition?.protocol !== 3) return false;
  const { username, password = '' } = auth;
  await redis.call('AUTH', username === undefined ? [password] : [username, password]);
  return true;
}
