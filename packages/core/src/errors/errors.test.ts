import { inspect } from 'node:util';
import { ReplyError } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, isRedisPoolError, RedisPoolError, type RedisPoolErrorCode } from './errors.js';

/** The list of design.md, section Errors. */
const DESIGNED = [
  'RP_ERR_INVALID_OPTION',
  'RP_ERR_POOL_CONFLICT',
  'RP_ERR_UNKNOWN_POOL',
  'RP_ERR_CONNECT',
  'RP_ERR_CONNECT_TIMEOUT',
  'RP_ERR_AUTH',
  'RP_ERR_UNAVAILABLE',
  'RP_ERR_COMMAND_TIMEOUT',
  'RP_ERR_CONNECTION_LOST',
  'RP_ERR_ACQUIRE_TIMEOUT',
  'RP_ERR_QUEUE_FULL',
  'RP_ERR_LEASE_DEADLOCK',
  'RP_ERR_LEASE_RELEASED',
  'RP_ERR_STATEFUL_COMMAND',
  'RP_ERR_CROSS_SLOT',
  'RP_ERR_CONFLICT',
  'RP_ERR_CLOSING',
  'RP_ERR_CLOSED',
];
const TRY_LATER = DESIGNED.filter((code) =>
  /(CONNECT|TIMEOUT|UNAVAILABLE|CONNECTION_LOST|QUEUE_FULL|CLOSING)$/.test(code),
);
const CODES = Object.keys(ERROR_CODES) as RedisPoolErrorCode[];

describe('the table of codes', () => {
  it('holds the codes of the design and no other', () => {
    expect(CODES.sort()).toEqual(DESIGNED.sort());
  });

  it('answers 503 for what may pass by itself or is better served by another process', () => {
    for (const code of CODES) {
      const { statusCode, status, expose } = new RedisPoolError(code, 'x');
      expect([status, expose]).toEqual([statusCode, false]);
    }
    const with503 = CODES.filter((code) => new RedisPoolError(code, 'x').statusCode === 503);
    expect(with503.sort()).toEqual([...TRY_LATER, 'RP_ERR_CLOSED'].sort());
    expect(TRY_LATER).toHaveLength(8);
  });

  it('calls retryable what answers 503, and a transaction that lost its race', () => {
    const retryable = CODES.filter((code) => new RedisPoolError(code, 'x').retryable);
    expect(retryable.sort()).toEqual([...TRY_LATER, 'RP_ERR_CONFLICT'].sort());
  });

  it.each(CODES)('describes %s in one sentence without a full stop', (code) => {
    expect(ERROR_CODES[code].description).toMatch(/^[A-Z].{10,}[^.]$/);
  });
});

describe('RedisPoolError', () => {
  it('carries code, message, cause and whether the command may have run', () => {
    const cause = new Error('socket closed');
    const error = new RedisPoolError('RP_ERR_CONNECTION_LOST', 'Lost', { cause, maybeExecuted: false });
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', message: 'Lost', name: 'RedisPoolError' });
    expect(error.cause).toBe(cause);
    expect(error.maybeExecuted).toBe(false);
    expect(error.retryable).toBe(true);
  });

  it.each(CODES)('is never retryable as %s once the command may have run', (code) => {
    const error = new RedisPoolError(code, 'x', { maybeExecuted: true });
    expect(error.retryable).toBe(false);
    expect(error.statusCode).toBe(new RedisPoolError(code, 'x').statusCode);
  });

  it('has no properties for what does not apply', () => {
    const error = new RedisPoolError('RP_ERR_AUTH', 'Refused');
    expect(Object.keys(error).sort()).toEqual(['code', 'retryable']);
    expect('cause' in error).toBe(false);
  });

  it('names itself in the stack and hides its name from inspection', () => {
    const error = new RedisPoolError('RP_ERR_CLOSED', 'Closed');
    expect(error.stack).toMatch(/^RedisPoolError: Closed\n/);
    expect(inspect(error)).not.toContain('name:');
  });

  it('takes the arguments of commands off its cause', () => {
    const cause = Object.assign(new ReplyError('WRONGPASS'), { command: { name: 'auth', args: ['s3cret'] } });
    const error = new RedisPoolError('RP_ERR_AUTH', 'Refused', { cause });
    expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('s3cret');
  });

  it('masks arguments in a message that quotes a reply', () => {
    const reply = "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 's3cret' ";
    const error = new RedisPoolError('RP_ERR_CONNECT', `Redis pool "default" could not connect: ${reply}`);
    expect(`${error.message}${error.stack}`).not.toContain('s3cret');
    expect(error.message).toMatch(/'HELLO', with args beginning with: \*\*\*$/);
  });
});

describe('isRedisPoolError and instanceof', () => {
  it('agree across two copies of the package', async () => {
    const path = './errors.js?copy';
    const copy: typeof import('./errors.js') = await import(path);
    expect(copy.RedisPoolError).not.toBe(RedisPoolError);
    const theirs = new copy.RedisPoolError('RP_ERR_CLOSED', 'Closed');
    expect(theirs instanceof RedisPoolError).toBe(true);
    expect(isRedisPoolError(theirs)).toBe(true);
    expect(copy.isRedisPoolError(new RedisPoolError('RP_ERR_CLOSED', 'Closed'))).toBe(true);
  });

  it.each([
    ['a plain error', new Error('x')],
    ['an error with such a code', Object.assign(new Error('x'), { code: 'RP_ERR_CLOSED' })],
    ['null', null],
    ['undefined', undefined],
    ['a string', 'RP_ERR_CLOSED'],
    ['a function', () => {}],
  ])('refuse %s', (_, value) => {
    expect(isRedisPoolError(value)).toBe(false);
    expect((value as unknown) instanceof RedisPoolError).toBe(false);
  });

  it('keep a subclass narrower than its base', () => {
    class Special extends RedisPoolError {}
    expect(new Special('RP_ERR_CLOSED', 'x') instanceof RedisPoolError).toBe(true);
    expect(new Special('RP_ERR_CLOSED', 'x') instanceof Special).toBe(true);
    expect(new RedisPoolError('RP_ERR_CLOSED', 'x') instanceof Special).toBe(false);
  });
});
