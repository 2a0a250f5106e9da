import { type SampleGroup, samples } from '../sample-group.js';

export const SORTED_SETS: SampleGroup = {
  title: 'sorted sets',
  seed: [
    'zadd zset 1 a 2.5 b 3 c',
    'zadd other 10 b 20 c 30 d',
    'zadd edges -inf low 0.1 tenth 1e20 big inf high',
    'zadd lex 0 a 0 b 0 c 0 d',
    'zadd one 1 only',
    'sadd set a z',
    'set str x',
  ],
  exact: [
    ...samples(`
      zadd zset 4 d | zadd zset 9 a | zadd zset CH 9 a 1 x | zadd zset INCR 0.5 a | zadd zset NX INCR 1 a
      zadd zset GT 0 a | zadd zset x a | zadd str 1 a | zadd zset XX 1 z
      zcard zset | zcard missing | zcard str | zcount zset 1 (3 | zcount missing -inf +inf
      zcount zset x 1 | zdiff 2 zset other | zdiff 2 zset other WITHSCORES | zdiff 1 missing WITHSCORES
      zdiffstore dest 2 zset other | zincrby zset 1.5 a | zincrby missing 1 a | zincrby zset x a
      zincrby edges 1 high | zinter 2 zset other | zinter 2 zset other WITHSCORES
      zinter 2 zset missing WITHSCORES | zinter 2 zset set WEIGHTS 2 3 AGGREGATE MAX WITHSCORES
      zinter 0 zset | zinter 2 zset str | zintercard 2 zset other | zintercard 2 zset other LIMIT 1
      zinterstore dest 2 zset other | zinterstore dest 1 missing | zlexcount lex - + | zlexcount lex [b (d
      zlexcount missing - + | zlexcount lex b c | zmpop 1 zset MIN | zmpop 2 missing zset MAX COUNT 2
      zmpop 1 missing MIN | zmpop 1 str MIN | zmscore zset a z b | zmscore missing a
      zmscore edges low high | zpopmax zset | zpopmax zset 2 | zpopmax missing
      zpopmin zset | zpopmin zset 2 | zpopmin edges 4 | zpopmin str
      zrandmember one | zrandmember missing | zrandmember missing 2 WITHSCORES
      zrandmember one -2 WITHSCORES | zrange zset 0 -1 | zrange zset 0 -1 WITHSCORES
      zrange zset 0 1 REV WITHSCORES | zrange missing 0 -1 WITHSCORES
      zrange zset (1 +inf BYSCORE LIMIT 0 1 WITHSCORES | zrange lex [b + BYLEX
      zrange edges 0 -1 WITHSCORES | zrange str 0 -1 | zrange zset x y
      zrangestore dest zset 0 1 | zrangestore dest missing 0 1 | zrangebylex lex - [c
      zrangebylex lex - + LIMIT 1 2 | zrangebylex missing - + | zrangebylex lex x y
      zrangebyscore zset -inf +inf | zrangebyscore zset 1 3 WITHSCORES LIMIT 1 1
      zrangebyscore missing 0 1 WITHSCORES | zrank zset b | zrank zset z
      zrevrank zset b | zrevrank missing b | zrank str a | zrem zset a z | zrem missing a
      zremrangebylex lex [b [c | zremrangebyrank zset 0 1 | zremrangebyscore zset (1 +inf
      zremrangebyscore missing 0 1 | zrevrange zset 0 -1 | zrevrange zset 0 -1 WITHSCORES
      zrevrange missing 0 -1 | zrevrangebylex lex + - | zrevrangebyscore zset +inf -inf WITHSCORES
      zrevrangebyscore zset 3 1 | zrevrangebyscore str 3 1 | zscan zset 0 | zscan zset 0 MATCH a COUNT 10
      zscan missing 0 | zscan str 0 | zscan edges 0 | zscore zset b | zscore zset z | zscore missing a
      zscore edges high | zscore edges tenth | zscore edges big | zunion 2 zset other
      zunion 2 zset other WITHSCORES | zunion 1 missing WITHSCORES | zunion 2 zset str
      zunionstore dest 2 zset other WEIGHTS 1 0.5 | zunionstore dest 1 missing | zunionstore dest x zset
    `),
    ['zadd', 'zset', 1, 'x', 2, 'y'],
    ['zrem', 'zset', ['a', 'b']],
  ],
  byShape: samples(`
    zrandmember zset | zrandmember zset 2 | zrandmember zset 2 WITHSCORES
    zrandmember zset -5 WITHSCORES
  `),
  blocking: samples(`
    bzpopmin missing zset 0.001 | bzpopmin missing 0.001 | bzpopmax zset 0.001 | bzpopmax missing 0.001
    bzpopmax str 0.001 | bzmpop 0.001 1 zset MIN COUNT 3 | bzmpop 0.001 1 missing MAX | bzmpop x 1 zset MIN
  `),
};

const PALERMO = '13.361389 38.115556 Palermo';
const CATANIA = '15.087269 37.502669 Catania';

export const GEO: SampleGroup = {
  title: 'geo',
  seed: [`geoadd geo ${PALERMO}`, `geoadd geo ${CATANIA}`, 'set str x'],
  exact: [
    ...samples(`
      geoadd geo 999 0 x | geoadd str 1 1 x | geodist geo Palermo Catania | geodist geo Palermo Catania km
      geodist geo Palermo nope | geodist missing a b | geohash geo Palermo nope Catania
      geohash missing a | geohash geo | geopos geo Palermo nope | geopos missing a | geopos geo
      geopos str a | georadius geo 15 37 200 km
      georadius geo 15 37 200 km WITHDIST WITHCOORD WITHHASH ASC | georadius missing 15 37 1 km
      georadius geo 15 37 200 km STORE dest | georadius geo 15 37 200 km COUNT 1 ANY
      georadius geo x 37 200 km | georadius_ro geo 15 37 100 km WITHDIST
      georadius_ro geo 15 37 200 km STORE dest | georadiusbymember geo Palermo 200 km
      georadiusbymember geo nope 1 km | georadiusbymember geo Palermo 200 km STOREDIST dest
      georadiusbymember_ro geo Palermo 200 km WITHCOORD DESC | georadiusbymember_ro missing x 1 km
      geosearch geo FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST
      geosearch geo FROMMEMBER nope BYRADIUS 1 km
      geosearch geo FROMMEMBER Palermo BYRADIUS 200 km DESC COUNT 1
      geosearch missing FROMLONLAT 1 1 BYRADIUS 1 km
      geosearchstore dest geo FROMLONLAT 15 37 BYRADIUS 200 km
      geosearchstore dest geo FROMLONLAT 15 37 BYBOX 1 1 km STOREDIST
    `),
    `geoadd geo 2 3 new`,
    `geoadd geo CH ${PALERMO}`,
  ],
};
