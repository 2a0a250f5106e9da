import { waitUntil } from '@redis-pool/testkit';
import { expect } from 'vitest';
import { type FailureMode, openReady, untilRan } from './failure-scene.js';
import { errorOf, outcomeOf } from './pool-harness.js';

/** Faults between the pool and the server. */
export const NETWORK_MODES: Readonly<Record<string, FailureMode>> = {
  'No server listens at the address': async ({ proxy, openPool }) => {
    proxy.refuse();
    const error = await errorOf(openPool({ url: proxy.url, commandTimeoutMs: 60 }).set('key', 'value'));
    expect(error.cause).toMatchObject({ code: 'RP_ERR_CONNECT' });
    return error;
  },

  'The server comes back before the deadline of a waiting call': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene);
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.status === 'degraded', { what: 'the pool has noticed' });
    const calls = ['a', 'b', 'c'].map((element) => outcomeOf(pool.rpush('list', element)));
    await proxy.heal();
    const outcomes = await Promise.all(calls);
    expect(await pool.lrange('list', 0, -1)).toEqual(['a', 'b', 'c']);
    return outcomes.find(({ error }) => error !== undefined)?.error;
  },

  'A connection is lost while a write is unanswered': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene);
    proxy.stallAfter(0, 'toServer');
    const write = errorOf(pool.incr('key'));
    await waitUntil(() => pool.stats().lanes[0]?.unsentBytes === 0, { what: 'the write has left' });
    await new Promise(setImmediate);
    proxy.reset();
    const error = await write;
    await proxy.heal();
    // It never arrived, which nobody here could know, and was not sent again.
    expect(await pool.get('key')).toBeNull();
    return error;
  },

  'A connection is lost while a read is unanswered': async (scene) => {
    const { proxy, server } = scene;
    const pool = await openReady(scene);
    await pool.set('key', 'value');
    proxy.swallowReplies();
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const read = outcomeOf(pool.get('key'));
    await untilRan(server, 'get');
    await proxy.heal();
    const { value, error } = await read;
    expect(value).toBe('value');
    return error;
  },

  'The server runs a write, and its reply is lost': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene);
    proxy.swallowRepliesThenReset();
    const error = await errorOf(pool.incr('key'));
    expect(await pool.get('key')).toBe('1');
    return error;
  },

  'Packets are held up on the way': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene, { commandTimeoutMs: 60 });
    proxy.blackHole();
    const error = await errorOf(pool.incr('key'));
    await proxy.heal();
    await waitUntil(() => pool.stats().pending.commands === 0, { what: 'the late reply has come' });
    expect(await pool.get('key')).toBe('1');
    return error;
  },

  'A connection goes silent for ever': async (scene) => {
    const pool = await openReady(scene, { commandTimeoutMs: 200 });
    scene.proxy.forgetConnections();
    const error = await errorOf(pool.incr('key'));
    await waitUntil(() => pool.stats().lostConnections === 1, {
      what: 'the pool has given the connection up',
    });
    expect(await pool.incr('key')).toBe(1);
    return error;
  },

  'The network is slow': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene);
    proxy.split({ maxBytes: 3 });
    proxy.delay({ ms: 5, jitterMs: 5 });
    const text = 'x'.repeat(1_000);
    const { value, error } = await outcomeOf(pool.echo(text));
    expect(value).toBe(text);
    return error;
  },

  'The server accepts connections and never answers': async ({ proxy, openPool }) => {
    await proxy.acceptAndSilence();
    const pool = openPool({ url: proxy.url, connectTimeoutMs: 30, commandTimeoutMs: 100 });
    const error = await errorOf(pool.set('key', 'value'));
    expect(error.cause).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT' });
    return error;
  },

  'The server never answers at the start': async ({ proxy, openPool }) => {
    await proxy.acceptAndSilence();
    return errorOf(openPool({ url: proxy.url, connectTimeoutMs: 50 }).ready());
  },

  'A load balancer accepts connections and resets them': async ({ proxy, openPool }) => {
    await proxy.acceptAndReset();
    const error = await errorOf(openPool({ url: proxy.url, commandTimeoutMs: 60 }).set('key', 'value'));
    expect(proxy.acceptedCount).toBeGreaterThan(0);
    return error;
  },

  'Something that is not Redis sends bytes': async (scene) => {
    const { proxy, server } = scene;
    const pool = await openReady(scene);
    proxy.swallowReplies();
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const write = errorOf(pool.incr('key'));
    await untilRan(server, 'incr');
    proxy.garbage('HTTP/1.1 400 Bad Request\r\n\r\n');
    const error = await write;
    await proxy.heal();
    expect(await pool.get('key')).toBe('1');
    return error;
  },

  'The connection of the subscriptions is lost': async (scene) => {
    const { proxy, server } = scene;
    const pool = await openReady(scene);
    const heard: string[] = [];
    const onGap = () => heard.push('gap');
    const listening = pool.subscribe('news', (message) => heard.push(message), { onGap });
    const subscription = await listening;
    await server.adminCommand('PUBLISH', 'news', 'first');
    await waitUntil(() => heard.length === 1, { what: 'the first message has come' });
    proxy.reset();
    await waitUntil(() => heard.includes('gap'), { what: 'the gap is told' });
    await server.adminCommand('PUBLISH', 'news', 'second');
    await waitUntil(() => heard.length === 3, { what: 'the second message has come' });
    expect(heard).toEqual(['first', 'gap', 'second']);
    await subscription.unsubscribe();
    return undefined;
  },
};
