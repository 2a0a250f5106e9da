import { setImmediate as nextTurn } from 'node:timers/promises';
import { waitUntil } from '@redis-pool/testkit';
import { expect } from 'vitest';
import { type FailureMode, openReady, REASON, untilParked, untilRan } from './failure-scene.js';
import { block, errorOf, outcomeOf } from './pool-harness.js';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Faults of the application, and what its callers meet at the pool. */
export const CALLER_MODES: Readonly<Record<string, FailureMode>> = {
  'More calls wait than `maxPending` allows': async (scene) => {
    const pool = await openReady(scene, { maxPending: { commands: 10 } });
    scene.proxy.swallowReplies();
    const calls = Array.from({ length: 10 }, () => outcomeOf(pool.get('key')));
    const error = await errorOf(pool.incr('key'));
    await scene.proxy.heal();
    await Promise.all(calls);
    return error;
  },

  'Every connection is leased': async (scene) => {
    const pool = await openReady(scene, { maxConnections: 2, acquireTimeoutMs: 50 });
    const lease = await pool.acquire();
    const error = await errorOf(pool.acquire());
    await lease.release();
    return error;
  },

  'A lease loses its connection': async (scene) => {
    const { proxy, server } = scene;
    const pool = await openReady(scene);
    const error = await errorOf(
      pool.lease(async (lease) => {
        proxy.swallowReplies();
        await server.adminCommand('CONFIG', 'RESETSTAT');
        const write = lease.incr('key');
        await untilRan(server, 'incr');
        await proxy.heal();
        await write;
      }),
    );
    expect(await pool.lease((lease) => lease.get('key'))).toBe('1');
    return error;
  },

  'A blocking pop loses its connection': async (scene) => {
    const pool = await openReady(scene);
    const pop = errorOf(pool.blpop('list', 0));
    await untilParked(scene.server);
    scene.proxy.reset();
    return pop;
  },

  'A blocking pop loses its connection without a word': async (scene) => {
    const pool = await openReady(scene, { heartbeatMs: 100, commandTimeoutMs: 1_000 });
    const pop = errorOf(pool.blpop('list', 0));
    await untilParked(scene.server);
    scene.proxy.forgetConnections();
    return pop;
  },

  'An XREAD that waits loses its connection': async (scene) => {
    const pool = await openReady(scene);
    const read = outcomeOf(pool.xread('BLOCK', 0, 'STREAMS', 'stream', '$'));
    await untilParked(scene.server);
    scene.proxy.reset();
    await scene.server.adminCommand('XADD', 'stream', '1-1', 'field', 'value');
    const { value, error } = await read;
    expect(value).toEqual([['stream', [['1-1', ['field', 'value']]]]]);
    return error;
  },

  'A blocking command is refused by a server that became a replica': async (scene) => {
    const { server } = scene;
    const promote = async () => void (await server.adminCommand('REPLICAOF', 'NO', 'ONE'));
    const pool = await openReady(scene, { hooks: { connect: promote } });
    const parked = outcomeOf(pool.blpop('list', 0));
    await untilParked(server);
    // Of a master that does not exist: nothing listens on that port.
    await server.adminCommand('REPLICAOF', '127.0.0.1', 1);
    await pool.rpush('list', 'element');
    const { value, error } = await parked;
    expect(value).toEqual(['list', 'element']);
    return error;
  },

  'A blocking pop is cancelled': async (scene) => {
    const pool = await openReady(scene);
    const controller = new AbortController();
    const pop = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
    await untilParked(scene.server);
    controller.abort(REASON);
    const error = await pop;
    await pool.rpush('list', 'element');
    expect(await pool.blpop('list', 1)).toEqual(['list', 'element']);
    return error;
  },

  'A blocking pop is cancelled while the server pauses its clients': async (scene) => {
    const { server } = scene;
    const pool = await openReady(scene);
    await pool.lease((lease) => lease.ping());
    await server.adminCommand('CLIENT', 'PAUSE', 60_000, 'WRITE');
    const controller = new AbortController();
    const pop = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
    await untilParked(server);
    controller.abort(REASON);
    const error = await pop;
    await server.adminCommand('CLIENT', 'UNPAUSE');
    await pool.rpush('list', 'element');
    expect(await pool.lpop('list')).toBe('element');
    return error;
  },

  'A watched key changes at every attempt': async (scene) => {
    const pool = await openReady(scene);
    const change = async () => void (await pool.incr('key'));
    const attempt = pool.transaction(
      ['key'],
      async (_, queue) => {
        await change();
        queue.set('key', 'mine');
      },
      { retries: 2 },
    );
    const error = await errorOf(attempt);
    expect(await pool.get('key')).toBe('3');
    return error;
  },

  'The caller goes away while its write is unanswered': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene);
    const controller = new AbortController();
    proxy.stallAfter(0, 'toServer');
    const write = errorOf(pool.scope({ signal: controller.signal }).incr('key'));
    await nextTurn();
    controller.abort(REASON);
    const error = await write;
    await proxy.heal();
    await waitUntil(() => pool.stats().pending.commands === 0, { what: 'the reply has come' });
    expect(await pool.get('key')).toBe('1');
    return error;
  },

  'The deadline of a scope passes': async (scene) => {
    const { proxy } = scene;
    const pool = await openReady(scene);
    proxy.stallAfter(0, 'toServer');
    const error = await errorOf(pool.scope({ timeoutMs: 30 }).incr('key'));
    await proxy.heal();
    await waitUntil(() => pool.stats().pending.commands === 0, { what: 'the reply has come' });
    expect(await pool.get('key')).toBe('1');
    return error;
  },

  'The application blocks its event loop': async (scene) => {
    // Without the proxy, which this process would block too.
    const pool = await openReady(scene, { url: scene.server.url, commandTimeoutMs: 100 });
    const call = outcomeOf(pool.incr('key'));
    await nextTurn();
    block(250);
    const { value, error } = await call;
    expect(value).toBe(1);
    return error;
  },

  'The clock of the machine jumps': async (scene) => {
    const pool = await openReady(scene);
    const real = Date.now;
    try {
      scene.proxy.delay({ ms: 10 });
      const calls = [DAY_MS, -DAY_MS].map((jumpMs) => {
        const call = outcomeOf(pool.incr('key'));
        Date.now = () => real() + jumpMs;
        return call;
      });
      const outcomes = await Promise.all(calls);
      expect(outcomes.map(({ value }) => value)).toEqual([1, 2]);
      return outcomes.find(({ error }) => error !== undefined)?.error;
    } finally {
      Date.now = real;
    }
  },

  'The pool is closing': async (scene) => {
    const pool = await openReady(scene);
    scene.proxy.swallowReplies();
    const running = outcomeOf(pool.get('key'));
    const closing = pool.close({ timeoutMs: 200 });
    const error = await errorOf(pool.set('key', 'value'));
    await closing;
    await running;
    return error;
  },

  'The pool is closed': async (scene) => {
    const pool = await openReady(scene);
    await pool.close();
    return errorOf(pool.set('key', 'value'));
  },
};
