import { type SampleGroup, samples } from '../sample-group.js';

// Commands that would end, fork or rebuild the server are in a form that it refuses.
export const SERVER: SampleGroup = {
  title: 'the server',
  seed: [
    'acl DELUSER bob',
    'acl LOG RESET',
    'config SET slowlog-log-slower-than 10000',
    'slowlog RESET',
    'set str hello',
  ],
  exact: [
    ...samples(`
      acl WHOAMI | acl LIST | acl USERS | acl CAT | acl CAT hash | acl CAT nope | acl GETUSER default
      acl GETUSER nope | acl SETUSER bob on >secret ~app:* +@read | acl DELUSER nope
      acl DRYRUN default get str | acl LOG | acl NOPE | acl HELP | acl LOAD | acl SAVE | acl GENPASS x
      command COUNT | command INFO get nope | command DOCS get | command DOCS nope
      command GETKEYS mset a 1 b 2 | command GETKEYS ping | command LIST FILTERBY PATTERN xr*
      command GETKEYSANDFLAGS set k v | command NOPE | command INFO mget zadd
      config GET maxmemory | config GET max* | config GET nope | config GET hz maxclients
      config SET hz 500 | config SET nope 1 | config SET hz x | config RESETSTAT | config REWRITE | config
      debug SLEEP 0 | debug DIGEST-VALUE str missing | debug OBJECT missing | debug NOPE
      debug PROTOCOL string | debug PROTOCOL integer | debug PROTOCOL double | debug PROTOCOL null
      debug PROTOCOL array | debug PROTOCOL set | debug PROTOCOL map | debug PROTOCOL bignum
      debug PROTOCOL true | debug PROTOCOL false | debug PROTOCOL verbatim | debug PROTOCOL nope
      latency LATEST | latency RESET | latency HISTORY command | latency HELP | latency HISTOGRAM nope
      latency NOPE | memory PURGE | memory NOPE | memory HELP | memory USAGE missing
      module LIST | module LOAD /nope | module UNLOAD nope | slowlog GET | slowlog LEN | slowlog RESET
      slowlog GET x | slowlog HELP | role | role x | save | save now
      shutdown NOPE | bgsave NOPE | bgrewriteaof now | failover ABORT | failover TO nope
      replicaof x | replicaof 127.0.0.1 x | replicaof NO ONE | slaveof NO ONE | slaveof x
      cluster INFO | cluster SLOTS | cluster NOPE | cluster KEYSLOT str
    `),
    ['debug', 'ERROR', 'CODE of an error'],
  ],
  byShape: samples(`
    time | lastsave | info | info server | info nope | lolwut | lolwut VERSION 5
    memory STATS | memory DOCTOR | memory MALLOC-STATS | latency DOCTOR | latency GRAPH nope
    debug OBJECT str | acl GENPASS | acl GENPASS 8 | debug HTSTATS 0
  `),
};

export const SLOW_LOG: SampleGroup = {
  title: 'the slow log',
  seed: [
    'config SET slowlog-log-slower-than 0',
    'slowlog RESET',
    'get str',
    'config SET slowlog-log-slower-than -1',
  ],
  exact: ['slowlog LEN'],
  byShape: samples(`
    slowlog GET | slowlog GET 1
  `),
};

export const CONNECTIONS: SampleGroup = {
  title: 'connections and channels',
  seed: ['acl LOG RESET', 'config SET slowlog-log-slower-than 10000'],
  exact: [
    ...samples(`
      ping | ping hello | ping a b | publish channel message | publish channel | spublish channel message
      echo hello | echo | echo a b | client KILL ID 999999 | client KILL 127.0.0.1:1
      client UNBLOCK 999999 | client UNPAUSE | client PAUSE 0 | client PAUSE x | client NOPE | client HELP
      client LIST TYPE nope | client LIST ID 999999 | client | pubsub CHANNELS | pubsub CHANNELS a*
      pubsub NUMSUB a b | pubsub NUMSUB | pubsub NUMPAT | pubsub SHARDCHANNELS | pubsub SHARDNUMSUB a
      pubsub NOPE | pubsub HELP
    `),
    ['echo', ''],
    ['echo', 'ü€𝄞'],
    ['echo', Buffer.from([0xff, 0x0d, 0x0a])],
    ['publish', 'channel', Buffer.from([0x80])],
  ],
  byShape: samples(`
    client LIST | client LIST TYPE normal
  `),
};
