import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { createRedisPool, getRedisPool } from '../pool.js';
import { checkWebOptions, poolOptionsOf, type WebPoolOptions } from './web-options.js';

const DURATION = 'must be a whole number of milliseconds from 1 to 2147483647';
const MESSAGE_OF_CLIENT =
  'Option "client" must be a RedisPool, from createRedisPool() or getRedisPool(), received';

function messageOf(options: object): string {
  try {
    checkWebOptions(options as WebPoolOptions<never>);
    return 'taken';
  } catch (error) {
    expect(error).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    return (error as Error).message;
  }
}

describe('options of an adapter', () => {
  test.each([
    {},
    {
      namespace: undefined,
      startup: undefined,
      client: undefined,
      closeClient: undefined,
      requestSignal: undefined,
    },
    { namespace: 'cache', startup: 'require', onHangUp: 'abort', forgottenLeaseMs: 1, serverTiming: false },
    {
      startup: 'optional',
      requestTimeoutMs: 2_147_483_647,
      requestSignal: () => undefined,
      serverTiming: true,
    },
    { startup: 'lazy', url: 'redis://127.0.0.1:1', requestTimeoutMs: 1 },
  ])('are taken: %o', (options) => {
    expect(messageOf(options)).toBe('taken');
  });

  test.each([
    [{ namespace: '' }, 'Option "namespace" must be a non-empty string, received ""'],
    [{ namespace: 5 }, 'Option "namespace" must be a non-empty string, received 5'],
    [{ namespace: null }, 'Option "namespace" must be a non-empty string, received null'],
    [{ startup: true }, 'Option "startup" must be "require" or "optional" or "lazy", received true'],
    [{ onHangUp: 'cut' }, 'Option "onHangUp" must be "finish" or "abort", received "cut"'],
    [{ forgottenLeaseMs: 0 }, `Option "forgottenLeaseMs" ${DURATION}, received 0`],
    [{ requestTimeoutMs: 0 }, `Option "requestTimeoutMs" ${DURATION}, received 0`],
    [{ requestTimeoutMs: 2_147_483_648 }, `Option "requestTimeoutMs" ${DURATION}, received 2147483648`],
    [{ requestTimeoutMs: '5s' }, `Option "requestTimeoutMs" ${DURATION}, received "5s"`],
    [
      { requestSignal: new AbortController().signal },
      'Option "requestSignal" must be a function, received an object',
    ],
    [{ serverTiming: 'yes' }, 'Option "serverTiming" must be true or false, received "yes"'],
    [{ closeClient: false }, 'Option "closeClient" needs "client": a pool made here is always closed here'],
    [{ client: null }, `${MESSAGE_OF_CLIENT} null`],
    [{ client: 'redis://user:secret@host' }, `${MESSAGE_OF_CLIENT} a string`],
    [{ client: { ready() {}, scope() {}, stats() {} } }, `${MESSAGE_OF_CLIENT} an object`],
  ])('are refused: %o', (options, message) => {
    expect(messageOf(options)).toContain(message);
  });

  test('an instance of ioredis is refused, with what to give instead', () => {
    const client = new Redis({ lazyConnect: true });
    expect(messageOf({ client })).toBe(
      `${MESSAGE_OF_CLIENT} an object. An instance of ioredis is not taken over: give its address and settings as ` +
        '"url" and "redis"',
    );
  });

  test('a handle excludes the options of a pool, but not those of the adapter', async () => {
    const client = createRedisPool({ name: 'given' });
    const own = {
      namespace: 'cache',
      startup: 'lazy',
      onHangUp: 'abort',
      requestTimeoutMs: 5,
      serverTiming: true,
    };
    expect(messageOf({ client, closeClient: true, url: undefined, ...own })).toBe('taken');
    expect(messageOf({ client, url: 'redis://127.0.0.1' })).toBe(
      'Options "client" and "url" exclude each other',
    );
    expect(messageOf({ client, maxConnections: 5 })).toBe(
      'Options "client" and "maxConnections" exclude each other',
    );
    expect(messageOf({ client, closeClient: 'yes' })).toBe(
      'Option "closeClient" must be true or false, received "yes"',
    );
    const other = getRedisPool('given');
    expect(messageOf({ client: other })).toBe('taken');
    await Promise.all([client.close(), other.close()]);
  });

  test('what is left for the pool is everything but them', () => {
    const own = {
      namespace: 'cache',
      startup: 'lazy',
      client: undefined,
      closeClient: undefined,
      onHangUp: 'abort',
      forgottenLeaseMs: 5,
      requestTimeoutMs: 5,
      requestSignal: () => undefined,
      serverTiming: true,
    } as const;
    const ofPool = { url: 'redis://127.0.0.1', lanes: 2, unknown: 1 };
    expect(poolOptionsOf({ ...own, ...ofPool })).toEqual(ofPool);
  });
});
