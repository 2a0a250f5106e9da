import { type Call, type SampleGroup, samples } from '../sample-group.js';

const LIBRARY = `#!lua name=library
redis.register_function('twice', function(keys, args) return {keys[1], args[1], args[1]} end)
redis.register_function{function_name='peek', callback=function(keys) return redis.call('get', keys[1]) end, flags={'no-writes'}}`;

const RETURN_ONE = 'return 1';
const RETURN_ONE_SHA = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';

/** What Lua returns, in every type that becomes a reply of its own. */
const RETURNS: readonly Call[] = [
  'return nil',
  'return 3.99',
  'return -7',
  'return "text"',
  'return true',
  'return false',
  'return {}',
  'return {1, "two", {3, {"four"}}, false, 5}',
  'return {1, nil, 3}',
  'return {ok = "FINE"}',
  'return {err = "CUSTOM went wrong"}',
  'return redis.error_reply("no code")',
  'return redis.status_reply("STATUS")',
  'return {1, redis.error_reply("INSIDE an array"), 2}',
  'return redis.pcall("get")',
  'return redis.call("hget", "str", "f")',
  'error("thrown")',
  'return string.rep("x", 5000)',
  'return "\\255\\0\\13\\10"',
  'redis.setresp(3) return {double = 3.5}',
  'redis.setresp(3) return {double = 1e300}',
  'redis.setresp(3) return {map = {key = "value"}}',
  'redis.setresp(3) return {map = {key = {1, {map = {inner = {double = 0.5}}}}}}',
  'redis.setresp(3) return {set = {member = true}}',
  'redis.setresp(3) return {big_number = "12345678901234567890"}',
  'redis.setresp(3) return {verbatim_string = {format = "txt", string = "plain text"}}',
  'redis.setresp(3) return {true, false}',
  'redis.setresp(3) return redis.call("hgetall", KEYS[1] or "hash")',
  'redis.setresp(3) return redis.call("zrange", "zset", 0, -1, "WITHSCORES")',
].map((lua): Call => ['eval', lua, 0]);

export const SCRIPTS: SampleGroup = {
  title: 'scripts',
  seed: ['script FLUSH', ['script', 'LOAD', RETURN_ONE], 'set str hello', 'hset hash f v', 'zadd zset 1.5 a'],
  exact: [
    ...samples(`
      evalsha_ro x 0 | script FLUSH SYNC | script FLUSH NOPE | script KILL | script HELP | script NOPE
    `),
    ...RETURNS,
    ['eval', 'return {KEYS, ARGV}', 2, 'a', 'b', 'c', 4, Buffer.from([0x80])],
    ['eval', 'return redis.call("set", KEYS[1], ARGV[1])', 1, 'new', 'value'],
    ['eval', 'return redis.call("get", KEYS[1])', ['1', 'str']],
    ...([['eval', 'not lua', 0], ['eval', 'return 1', 'x'], ['eval', 'return 1', 5, 'a'], 'eval'] as const),
    ['eval_ro', 'return redis.call("get", KEYS[1])', 1, 'str'],
    ['eval_ro', 'return redis.call("set", KEYS[1], "x")', 1, 'str'],
    `evalsha ${RETURN_ONE_SHA} 0`,
    `evalsha ${'0'.repeat(40)} 0`,
    `evalsha_ro ${RETURN_ONE_SHA} 1 str`,
    ...([
      `script EXISTS ${RETURN_ONE_SHA} ${'0'.repeat(40)}`,
      ['script', 'LOAD', 'return 2'],
      ['script', 'LOAD', 'not lua'],
    ] as const),
  ],
};

export const FUNCTIONS: SampleGroup = {
  title: 'functions',
  seed: ['function FLUSH', ['function', 'LOAD', LIBRARY], 'set str hello'],
  exact: [
    ...samples(`
      fcall twice 1 a b | fcall peek 1 str | fcall nope 0 | fcall_ro peek 1 str | fcall_ro twice 1 a b
      fcall twice x | function LIST | function LIST WITHCODE | function LIST LIBRARYNAME nope
      function DUMP | function DELETE library | function DELETE nope | function FLUSH | function STATS
      function KILL | function HELP | function NOPE | function RESTORE broken
    `),
    ...([
      ['function', 'LOAD', LIBRARY],
      ['function', 'LOAD', 'REPLACE', LIBRARY],
      ['function', 'LOAD', 'no name'],
    ] as const),
  ],
};
