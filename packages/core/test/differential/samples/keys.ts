import { type SampleGroup, samples } from '../sample-group.js';

/** DUMP of "hello" as written by Redis 3 (RDB version 6), which every later version restores. */
const HELLO_DUMP = Buffer.from('000568656c6c6f0600f59fb7f690611c99', 'hex');

export const KEYS: SampleGroup = {
  title: 'keys',
  seed: [
    'set str hello',
    'set short x PX 86400000',
    'set fixed x PXAT 4102444800000',
    'rpush list 3 1 2',
    'mset weight_1 30 weight_2 20 weight_3 10',
    'hset object_1 name one',
    'hset object_2 name two',
  ],
  exact: [
    ...samples(`
      copy str new | copy str list | copy str list REPLACE | copy missing new | copy str str DB 1
      del str | del str missing list | del missing | del | dump str | dump missing | dump list
      exists str | exists str str missing | exists | expire str 100 | expire str 100 NX
      expire short 10 GT | expire missing 1 | expire str x | expire str -1
      expireat str 4102444800 | expireat missing 4102444800 | expireat str 1
      expiretime fixed | expiretime str | expiretime missing | pexpiretime fixed | pexpiretime missing
      migrate 127.0.0.1 1 missing 0 100 | migrate 127.0.0.1 1 str x 100
      move str 1 | move missing 1 | move str 0 | move str 99 | object ENCODING str | object ENCODING list
      object ENCODING missing | object REFCOUNT str | object FREQ str | object NOPE str | object
      object HELP | persist short | persist str | persist missing | pexpire str 100000
      pexpire short 100000 LT | pexpire missing 1 | pexpireat str 4102444800000 XX
      ttl str | ttl short | ttl missing | pttl str | pttl missing | rename str new | rename missing new
      renamenx str list | renamenx str new | rename str | restore new 0 broken | restore new -1 x
      sort list | sort list DESC LIMIT 0 2 | sort list BY weight_* | sort str | sort missing
      sort list BY weight_* GET object_*->name GET # | sort list ALPHA STORE dest | sort list BY nosort
      sort_ro list GET object_*->name | sort_ro list STORE dest | sort_ro missing
      touch str missing list | touch missing | type str | type list | type object_1 | type missing
      unlink str list | unlink missing
    `),
    ['del', ['str', 'short']],
    ['restore', 'new', 0, HELLO_DUMP],
    ['restore', 'str', 0, HELLO_DUMP],
    ['restore', 'str', 4102444800000, HELLO_DUMP, 'REPLACE', 'ABSTTL'],
    ['restore-asking', 'new', 0, HELLO_DUMP],
    ['restore-asking', 'str', 0, HELLO_DUMP],
  ],
  byShape: samples(`
    object IDLETIME str | pttl short | memory USAGE str | memory USAGE missing
  `),
};

// Few keys, in the hash table's own order, which stays the same within one server process.
export const KEYSPACE: SampleGroup = {
  title: 'the keyspace',
  seed: ['set user:1 ann', 'set user:2 bob', 'rpush jobs a'],
  exact: samples(`
    keys * | keys user:* | keys nope* | keys | scan 0 | scan 0 MATCH user:* COUNT 100 | scan 0 TYPE list
    scan 0 MATCH nope | scan x | scan 0 COUNT 0 | dbsize | dbsize x
    flushdb | flushdb ASYNC | flushdb NOPE | flushall | flushall SYNC
    swapdb 0 1 | swapdb 0 99 | swapdb x y
  `),
  byShape: ['randomkey'],
};

export const EMPTY_KEYSPACE: SampleGroup = {
  title: 'an empty keyspace',
  seed: [],
  exact: samples(`
    randomkey | keys * | scan 0 | dbsize | flushall | set first key
  `),
};
