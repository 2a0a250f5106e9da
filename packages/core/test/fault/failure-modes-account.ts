import { expect } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { FAST_RECONNECT, type FailureMode, type FailureScene } from './failure-scene.js';
import { errorOf, outcomeOf } from './pool-harness.js';

async function openAs({ server, openPool }: FailureScene, ...rules: string[]): Promise<RedisPool> {
  await server.adminCommand('ACL', 'SETUSER', 'app', 'reset', 'on', '>first', '~*', '+@all', ...rules);
  return openPool({ url: `redis://app:first@${server.host}:${server.port}` });
}

/** Faults of the account that the pool logs in with. */
export const ACCOUNT_MODES: Readonly<Record<string, FailureMode>> = {
  'The password is wrong at the start': async ({ server, openPool }) => {
    return errorOf(openPool({ url: `redis://nobody:wrong@${server.host}:${server.port}` }).ready());
  },

  'The password is rotated': async ({ server, openPool }) => {
    await server.adminCommand('ACL', 'SETUSER', 'app', 'reset', 'on', '>first', '~*', '+@all');
    let password = 'first';
    const credentials = () => ({ username: 'app', password });
    const pool = openPool({ url: server.url, credentials, reconnect: FAST_RECONNECT });
    await pool.set('key', 'value');
    await server.adminCommand('ACL', 'SETUSER', 'app', '>second');
    password = 'second';
    await server.adminCommand('ACL', 'SETUSER', 'app', '<first');
    expect(await pool.get('key')).toBe('value');
    await server.adminCommand('CLIENT', 'KILL', 'USER', 'app');
    const { value, error } = await outcomeOf(pool.get('key'));
    expect(value).toBe('value');
    return error;
  },

  'The user may not run the command': async (scene) => {
    const pool = await openAs(scene, '-incr');
    return errorOf(pool.incr('key'));
  },

  'The user may not run MULTI': async (scene) => {
    const pool = await openAs(scene, '-multi');
    const error = await errorOf(pool.multi().incr('key').exec());
    expect(await pool.get('key')).toBe('1');
    return error;
  },
};
