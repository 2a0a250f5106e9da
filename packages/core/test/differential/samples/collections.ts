import { type SampleGroup, samples } from '../sample-group.js';

export const HASHES: SampleGroup = {
  title: 'hashes',
  seed: [
    ['hset', 'hash', 'name', 'ann', 'age', '42', 'empty', '', 'bin', Buffer.from([0xff, 0x00])],
    ['hset', 'odd', '__proto__', 'p', 'constructor', 'c', 'toString', 't', '1', 'one'],
    'set str x',
  ],
  exact: [
    ...samples(`
      hdel hash name | hdel hash name nope age | hdel missing f | hdel str f
      hexists hash name | hexists hash nope | hexists str f | hget hash name | hget hash nope
      hget missing f | hget hash bin | hget str f | hget hash | hgetall hash | hgetall missing
      hgetall str | hgetall odd | hgetall | hincrby hash age 8 | hincrby hash name 1
      hincrby missing f -1 | hincrbyfloat hash age 0.5 | hincrbyfloat hash name 1
      hincrbyfloat missing f 1e2 | hkeys hash | hkeys missing | hkeys str
      hlen hash | hlen missing | hvals hash | hvals missing | hmget hash name nope bin | hmget missing f
      hmget str f | hmset hash a 1 b 2 | hset hash a 1 name bob | hset hash a | hset str f v
      hsetnx hash name bob | hsetnx hash new v | hstrlen hash name | hstrlen hash nope
      hrandfield missing | hrandfield missing 2 | hrandfield str | hrandfield hash x | hrandfield hash 10
      hrandfield hash 10 WITHVALUES | hrandfield hash 0 | hscan hash 0 | hscan hash 0 MATCH n* COUNT 10
      hscan missing 0 | hscan str 0 | hscan hash x
    `),
    ['hdel', 'hash', ['name', 'age']],
    ['hmget', 'hash', ['name', 'age']],
    ['hmset', 'new', { a: 1, b: '2' }],
    ['hmset', 'new', new Map([['a', '1']])],
    ['hset', 'new', { a: 1, b: null, c: true }],
    ['hset', 'new', new Map<unknown, unknown>([[1, 'one']])],
    ['hset', 'new', {}],
    ['hset', 'new', ['a', 1]],
    ['hset', 'new', 'bin', Buffer.from([0x80, 0x81])],
    ['hset', 'new', { bin: Buffer.from([0x80]) }],
  ],
  byShape: samples(`
    hrandfield odd | hrandfield odd -3 | hrandfield odd -3 WITHVALUES | hrandfield odd 2 WITHVALUES
  `),
};

export const LISTS: SampleGroup = {
  title: 'lists',
  seed: [
    'rpush list a b c b',
    'rpush other x',
    'set str x',
    ['rpush', 'bin', Buffer.from([0xff, 0x00]), 'ü'],
  ],
  exact: [
    ...samples(`
      lindex list 0 | lindex list -1 | lindex list 9 | lindex missing 0 | lindex str 0 | lindex bin 0
      linsert list BEFORE b x | linsert list AFTER nope x | linsert missing BEFORE a b
      linsert list NOPE a b | llen list | llen missing | llen str | lmove list other LEFT RIGHT
      lmove missing other LEFT LEFT | lmove list str LEFT LEFT | lmpop 2 missing list LEFT
      lmpop 1 list RIGHT COUNT 2 | lmpop 1 missing LEFT | lmpop 1 str LEFT
      lpop list | lpop list 2 | lpop missing | lpop missing 2 | lpop list 0 | lpop str | lpop list x
      lpos list b | lpos list b RANK -1 | lpos list b COUNT 0 | lpos list nope | lpos list nope COUNT 1
      lpush list x y | lpush str x | lpush list | lpushx list x | lpushx missing x
      lrange list 0 -1 | lrange list 1 2 | lrange missing 0 -1 | lrange bin 0 -1 | lrange list x y
      lrem list 0 b | lrem list -1 b | lrem missing 0 a | lset list 0 x | lset list 9 x | lset missing 0 x
      ltrim list 1 2 | ltrim list 5 9 | ltrim str 0 1 | rpop list | rpop list 9 | rpop missing
      rpoplpush list other | rpoplpush missing other | rpoplpush list list
      rpush list x | rpush missing x y | rpushx list x | rpushx missing x
    `),
    ['lpush', 'list', ['x', 'y', 1]],
  ],
  blocking: samples(`
    blpop missing list 0.001 | blpop missing 0.001 | blpop str 0.001
    brpop list 0.001 | brpop list missing 0.001 | brpop missing 0.001 | brpop list x
    brpoplpush list other 0.001 | brpoplpush missing other 0.001 | blmove list other LEFT RIGHT 0.001
    blmove missing other LEFT LEFT 0.001 | blmpop 0.001 2 missing list LEFT COUNT 4
    blmpop 0.001 1 missing LEFT
  `),
};

export const SETS: SampleGroup = {
  title: 'sets',
  seed: ['sadd set a b c', 'sadd other b c d', 'sadd ints 1 2 3', 'sadd one only', 'set str x'],
  exact: [
    ...samples(`
      sadd set d | sadd set a | sadd str x | sadd set | scard set | scard missing
      sdiff set other | sdiff missing set | sdiff set str | sdiffstore dest set other
      sdiffstore dest missing | sinter set other | sinter set missing
      sinterstore dest set other | sintercard 2 set other | sintercard 2 set other LIMIT 1
      sintercard 0 set | sunion set other | sunion missing | sunionstore dest set other
      sismember set a | sismember set z | smismember set a z | smismember missing a
      sismember str a | smembers set | smembers ints | smembers missing | smembers str
      smove set other a | smove set other z | spop one | spop missing | spop missing 2 | spop set 9
      spop set 0 | spop str | spop set -1 | srandmember one | srandmember missing | srandmember missing 2
      srandmember one -2 | srandmember set 9 | srem set a z | srem missing a
      sscan ints 0 | sscan set 0 MATCH a | sscan missing 0 | sscan str 0 | sscan set 0 COUNT x
    `),
    ['sadd', 'set', ['x', 'y']],
    ['srem', 'set', ['a', 'b']],
  ],
  byShape: samples(`
    spop set | spop set 2 | srandmember set | srandmember set 2 | srandmember set -5
  `),
};
