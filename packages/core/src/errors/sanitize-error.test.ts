import { inspect } from 'node:util';
import { ReplyError } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { maskArguments, withoutArguments } from './sanitize-error.js';

const SECRET = 's3cret';

/** As DataHandler.returnError() of ioredis 6.0.0 makes it. */
function replyError(message: string, name: string, ...args: unknown[]): Error & { command: object } {
  return Object.assign(new ReplyError(message), { command: { name, args } });
}

function everything(value: unknown): string {
  return `${inspect(value, { showHidden: true, depth: 20 })}${(value as Error).stack}`;
}

describe('withoutArguments', () => {
  it('keeps the name of the command only, on the same error', () => {
    const error = replyError(
      'WRONGPASS invalid username-password pair',
      'hello',
      '3',
      'AUTH',
      'default',
      SECRET,
    );
    const { message, stack } = error;
    expect(withoutArguments(error)).toBe(error);
    expect(error.command).toEqual({ name: 'hello' });
    expect(Reflect.ownKeys(error.command)).toEqual(['name']);
    expect(error).toBeInstanceOf(ReplyError);
    expect(error).toMatchObject({ message, stack });
    expect(everything(error)).not.toContain(SECRET);
  });

  it('leaves the object that ioredis made alone, and out of reach', () => {
    const error = replyError('ERR syntax error', 'set', 'key', SECRET);
    const { command } = error;
    withoutArguments(error);
    expect(command).toEqual({ name: 'set', args: ['key', SECRET] });
    expect(error.command).not.toBe(command);
  });

  it.each(['previousErrors', 'errors'])('cleans the errors of a list in %s', (key) => {
    const inner = replyError('ERR syntax error', 'set', 'key', SECRET);
    const error = Object.assign(replyError('EXECABORT', 'exec'), { [key]: [inner] });
    expect(everything(withoutArguments(error))).not.toContain(SECRET);
  });

  it.each(['cause', 'lastNodeError'])('cleans the error in %s', (key) => {
    const error = Object.assign(new Error('x'), { [key]: replyError('ERR', 'set', 'key', SECRET) });
    expect(everything(withoutArguments(error))).not.toContain(SECRET);
  });

  it('ends on errors that hold each other', () => {
    const a = replyError('ERR', 'get', SECRET);
    const b = Object.assign(replyError('ERR', 'set', SECRET), { cause: a });
    Object.assign(a, { cause: b });
    expect(everything(withoutArguments(a))).not.toContain(SECRET);
  });

  it('masks a password that a server without HELLO sends back', () => {
    const redis5 = `ERR unknown command \`HELLO\`, with args beginning with: \`3\`, \`AUTH\`, \`default\`, \`${SECRET}\`, `;
    const error = replyError(redis5, 'hello', '3', 'AUTH', 'default', SECRET);
    withoutArguments(error);
    expect(error.message).toBe('ERR unknown command `HELLO`, with args beginning with: ***');
    expect(everything(error)).not.toContain(SECRET);
  });

  it.each([undefined, null, 'text', 5, {}, { command: 'ls -l' }, { command: { id: 1 } }])(
    'returns %j as it is',
    (value) => {
      const before = structuredClone(value);
      expect(withoutArguments(value)).toBe(value);
      expect(value).toEqual(before);
    },
  );
});

describe('maskArguments', () => {
  it('masks the password in a refused ACL SETUSER', () => {
    const reply = `ERR Error in ACL SETUSER modifier '>${SECRET}': Syntax error`;
    expect(maskArguments(reply)).toBe("ERR Error in ACL SETUSER modifier '***': Syntax error");
  });

  it.each([
    "ERR wrong number of arguments for 'get' command",
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    "ERR unknown subcommand 'FOO'. Try CLIENT HELP.",
  ])('leaves "%s" as the server wrote it', (reply) => {
    expect(maskArguments(reply)).toBe(reply);
  });
});
