import { type SampleGroup, samples } from '../sample-group.js';

const seed = [
  'set str hello',
  'set num 10',
  'set float 3.5',
  'set short 7 PX 86400000',
  ['set', 'bin', Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0x80])],
  ['set', 'empty', ''],
  'rpush list a b c',
] as const;

export const STRINGS: SampleGroup = {
  title: 'strings',
  seed,
  exact: [
    ...samples(`
      append str ! | append missing new | append list x | decr num | decr missing | decr str
      decrby num 3 | decrby num x | decrby num | get str | get missing | get bin | get empty | get list
      get | getdel str | getdel missing | getdel list | getex str | getex str EX 100 | getex short PERSIST
      getex missing | getex str EX x | getrange str 0 1 | getrange str -3 -1 | getrange missing 0 1
      getrange bin 0 -1 | getset str new | getset missing new | getset list x
      substr str 0 2 | substr missing 0 2 | incr num | incr missing | incr float
      incrby num -20 | incr list | incrbyfloat num 1e3 | incrbyfloat str 1 | incrbyfloat missing -2.5
      lcs str str | lcs str str LEN | lcs str str IDX WITHMATCHLEN | lcs str missing IDX | lcs str list
      mget str missing list bin | mget | mget missing | mset a 1 b 2 | mset a
      msetnx a 1 b 2 | msetnx a 1 str 2 | set k v | set k v NX | set str v NX | set str v XX GET
      set k v XX | set missing v GET | set k v EX 100 | set k v PX 100000 | set short v KEEPTTL
      set k v EX 0 | set k v NOPE | set k | setex k 100 v | setex k 0 v | setex k x v
      psetex k 100000 v | psetex k -1 v | setnx k v | setnx str v | setrange str 1 EY
      setrange missing 3 x | setrange list 0 x | strlen str | strlen missing | strlen bin | strlen list
    `),
    ['append', 'bin', Buffer.from([0xfe])],
    ['get', Buffer.from('str')],
    ['incrby', 'num', 5],
    ['incrbyfloat', 'float', 0.1],
    ['mget', ['str', 'num']],
    ['mset', { a: '1', b: 2 }],
    ['mset', new Map([['a', '1']])],
    ['msetnx', { str: 'x', a: 1 }],
    ['msetnx', { c: 3 }],
    ['set', 'k', ''],
    ['set', 'k', Buffer.alloc(0)],
    ['set', 'k', 1.5],
    ['set', 'k', true],
    ['set', 'k', null],
    ['set', 'k', undefined],
    ['set', 'k', 'ü€𝄞'],
    ['set', '', 'empty key'],
  ],
};

export const BITS: SampleGroup = {
  title: 'bits',
  seed,
  exact: samples(`
    bitcount str | bitcount str 0 1 | bitcount str 5 30 BIT | bitcount missing | bitcount list
    bitfield str GET u8 0 SET u8 0 65 INCRBY i5 100 1 | bitfield str | bitfield str GET u64 0
    bitfield str OVERFLOW FAIL INCRBY u2 0 3 | bitfield list GET u8 0 | bitfield missing GET i16 #1
    bitfield_ro str GET u8 8 | bitfield_ro str SET u8 0 1 | bitfield_ro missing GET u4 0
    bitop AND dest str num | bitop NOT dest bin | bitop XOR dest missing | bitop NOPE dest str
    bitpos str 1 | bitpos str 0 1 | bitpos missing 1 | bitpos str 1 9 20 BIT | bitpos str 2
    getbit str 1 | getbit missing 100 | getbit list 0 | getbit str -1
    setbit str 7 1 | setbit missing 9 1 | setbit str 1 2 | setbit list 0 1
  `),
};

// PFSELFTEST takes a second; its refusal does not.
export const HYPERLOGLOGS: SampleGroup = {
  title: 'hyperloglogs',
  seed: ['pfadd hll a b c', 'pfadd other c d', 'set str x'],
  exact: samples(`
    pfadd hll d | pfadd hll a | pfadd missing | pfadd str x | pfcount hll | pfcount hll other
    pfcount missing | pfcount str | pfmerge dest hll other | pfmerge dest str | pfmerge dest
    pfdebug ENCODING hll | pfdebug DECODE hll | pfdebug NOPE hll | pfselftest now
  `),
};
