import { inspect } from 'node:util';
import { waitUntil } from '@redis-pool/testkit';
import { expect } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { FAST_RECONNECT, type FailureMode, openReady } from './failure-scene.js';
import { errorOf, outcomeOf } from './pool-harness.js';

/** Faults of the server itself. */
export const SERVER_MODES: Readonly<Record<string, FailureMode>> = {
  'The server is killed and started again': async (scene) => {
    const { server } = scene;
    const pool = await openReady(scene, { url: server.url });
    server.freeze();
    const write = outcomeOf(pool.incr('key'));
    await waitUntil(() => pool.stats().lanes[0]?.unsentBytes === 0, { what: 'the write is on the wire' });
    await server.restart();
    const { error } = await write;
    expect(await pool.set('key', 'value')).toBe('OK');
    return error;
  },

  'The server is loading its data': async ({ server, openPool }) => {
    const keys = 60;
    for (let index = 0; index < keys; index += 1)
      await server.adminCommand('SET', `key:${index}`, 'x'.repeat(2_000));
    await server.adminCommand('SAVE');
    await server.kill();
    const pool = openPool({ url: server.url, reconnect: FAST_RECONNECT });
    const restarted = server.restart({ args: ['--key-load-delay', '8000'] });
    const call = outcomeOf(pool.get(`key:${keys - 1}`));
    await untilLoading(pool);
    await restarted;
    const { value, error } = await call;
    expect(value).toBe('x'.repeat(2_000));
    expect(pool.stats().errorReplies).toBe(0);
    return error;
  },

  'The server does not answer in time': async (scene) => {
    const pool = await openReady(scene, { commandTimeoutMs: 60 });
    scene.server.freeze();
    const error = await errorOf(pool.set('key', 'late'));
    scene.server.thaw();
    await waitUntil(() => pool.stats().pending.commands === 0, { what: 'the late reply has come' });
    // To nobody; and the next reply is for the next question.
    expect(await pool.get('key')).toBe('late');
    return error;
  },

  'The server has no place for another client (`maxclients`)': async ({ server, openPool }) => {
    await server.adminCommand('CONFIG', 'SET', 'maxclients', 1);
    const pool = openPool({ url: server.url, commandTimeoutMs: 100, reconnect: FAST_RECONNECT });
    const error = await errorOf(pool.set('key', 'value'));
    await server.adminCommand('CONFIG', 'SET', 'maxclients', 1_000);
    await pool.ready();
    return error;
  },

  'The server is out of memory': async (scene) => {
    const pool = await openReady(scene);
    await scene.server.adminCommand('CONFIG', 'SET', 'maxmemory', 1);
    const error = await errorOf(pool.set('key', 'value'));
    expect(await pool.get('key')).toBeNull();
    return error;
  },

  'The server became a read-only replica': async (scene) => {
    const pool = await openReady(scene);
    // Of a master that does not exist: nothing listens on that port.
    await scene.server.adminCommand('REPLICAOF', '127.0.0.1', 1);
    const error = await errorOf(pool.set('key', 'value'));
    await scene.server.adminCommand('REPLICAOF', 'NO', 'ONE');
    expect(await pool.set('key', 'value')).toBe('OK');
    return error;
  },

  'A script keeps the server busy': async (scene) => {
    const pool = await openReady(scene);
    const other = await openReady(scene);
    const script = outcomeOf(other.eval('while true do end', 0));
    // What arrives before the server calls it busy waits, and is refused with the rest.
    const error = await errorOf(pool.set('key', 'value'));
    expect(await pool.script('KILL')).toBe('OK');
    expect(String((await script).error)).toMatch(/killed/i);
    expect(await pool.get('key')).toBeNull();
    return error;
  },

  'The server pauses its clients (CLIENT PAUSE)': async (scene) => {
    const pool = await openReady(scene);
    await scene.server.adminCommand('CLIENT', 'PAUSE', 100, 'WRITE');
    const startedAt = performance.now();
    const { value, error } = await outcomeOf(pool.set('key', 'value'));
    expect(value).toBe('OK');
    expect(performance.now() - startedAt).toBeGreaterThan(50);
    return error;
  },

  'The server forgets its scripts (SCRIPT FLUSH)': async (scene) => {
    const scripts = { answer: { lua: 'return 42', numberOfKeys: 0 } };
    const pool = await openReady(scene, { scripts });
    const { answer } = pool as unknown as { answer(): Promise<unknown> };
    expect(await answer.call(pool)).toBe(42);
    await scene.server.adminCommand('SCRIPT', 'FLUSH');
    const { value, error } = await outcomeOf(answer.call(pool));
    expect(value).toBe(42);
    return error;
  },
};

async function untilLoading(pool: RedisPool): Promise<void> {
  const isLoading = async () => inspect(await errorOf(pool.ready({ timeoutMs: 20 }))).includes('LOADING');
  await waitUntil(isLoading, { what: 'an attempt to connect has found the server loading' });
}
