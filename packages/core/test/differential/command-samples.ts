import { type SampleGroup, samples } from './sample-group.js';
import { HASHES, LISTS, SETS } from './samples/collections.js';
import { EMPTY_KEYSPACE, KEYS, KEYSPACE } from './samples/keys.js';
import { HASH_FIELD_EXPIRY, LATER_ADDITIONS, VECTOR_SETS } from './samples/newer-servers.js';
import { FUNCTIONS, SCRIPTS } from './samples/scripts.js';
import { CONNECTIONS, SERVER, SLOW_LOG } from './samples/server.js';
import { GEO, SORTED_SETS } from './samples/sorted-sets.js';
import { STREAMS } from './samples/streams.js';
import { BITS, HYPERLOGLOGS, STRINGS } from './samples/strings.js';

/** Every call that both clients make, by kind of data. */
export const SAMPLE_GROUPS: readonly SampleGroup[] = [
  STRINGS,
  BITS,
  HYPERLOGLOGS,
  KEYS,
  KEYSPACE,
  EMPTY_KEYSPACE,
  HASHES,
  LISTS,
  SETS,
  SORTED_SETS,
  GEO,
  STREAMS,
  SCRIPTS,
  FUNCTIONS,
  SERVER,
  SLOW_LOG,
  CONNECTIONS,
  HASH_FIELD_EXPIRY,
  VECTOR_SETS,
  LATER_ADDITIONS,
];

/** Commands that never run on a shared connection, each in a form that would work on one of its own. */
export const REFUSED_COMMANDS = samples(`
  wait 0 100 | waitaof 0 0 100 | watch k | unwatch | exec | discard
  select 1 | auth password | hello 3 | reset | readonly | readwrite | asking
  subscribe c | psubscribe c | ssubscribe c | unsubscribe | punsubscribe | sunsubscribe
  monitor | sync | psync ? -1 | replconf ack 0 | quit
`);

/** Subcommands that are refused while their command is not. */
export const REFUSED_SUBCOMMANDS = samples(`
  client ID | client INFO | client GETNAME | client GETREDIR | client TRACKINGINFO
  client REPLY OFF | client TRACKING ON | client CACHING YES | client SETNAME x
  client SETINFO LIB-NAME x | client NO-EVICT ON | client NO-TOUCH ON | script DEBUG YES
  himport PREPARE x | himport SET x | himport DISCARD x | himport DISCARDALL
`);

/** Commands that cannot be compared as the others are, each with the place where it is looked at instead. */
export const COMPARED_ELSEWHERE: Readonly<Record<string, string>> = {
  multi:
    'A method of its own on the pool: every sample runs inside one, and callbacks-and-streams.test.ts has the rest',
};
