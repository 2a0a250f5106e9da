/**
 * The routing table: which connection a command may use, judged by its name and, for a few, its arguments.
 *
 * Pure: no I/O and no state. The lists below are the only source of the table *and* of the types that
 * leave a command off the pool, so that the two cannot part.
 */
import { hasFlag, list as knownCommands } from '@ioredis/commands';

/** What a command does to the connection that carries it. */
export type CommandClass =
  /** Leaves nothing behind and waits for nothing: any lane. */
  | 'plain'
  /** Holds its connection until an element or a timeout comes: a lease for that one command. */
  | 'blocking'
  /** Answers for the connection that asks: only inside a lease. */
  | 'connection-relative'
  /** Opens or ends a transaction of the connection: only inside a lease. */
  | 'transaction-state'
  /** Changes the connection for every later command: only inside a lease, which is then dirty. */
  | 'session-state'
  /** Turns the connection into a pub/sub one: the subscriber's business. */
  | 'subscription'
  /** Takes the socket over or ends it: nowhere. */
  | 'refused'
  /** Not in the table, for example of a module: a lease until the server was asked. */
  | 'unknown';

/** What is known of a command by its name alone. */
export interface CommandProfile {
  /** In lower case. */
  readonly name: string;
  /** `by-arguments`: ask {@link classify}. */
  readonly class: CommandClass | 'by-arguments';
  /** Whether it may be sent twice whatever its arguments are; see {@link isReadOnly} for the exact answer. */
  readonly readOnly: boolean;
}

const CONNECTION_RELATIVE = ['wait', 'waitaof'] as const;

/** MULTI is missing: `pool.multi()` exists, as a builder. Sent alone it belongs here too. */
const TRANSACTION_STATE = ['watch', 'unwatch', 'exec', 'discard'] as const;

const SESSION_STATE = ['select', 'auth', 'hello', 'reset', 'readonly', 'readwrite', 'asking'] as const;

const SUBSCRIPTION = [
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
] as const;

const REFUSED = ['monitor', 'sync', 'psync', 'replconf', 'quit'] as const;

/** Lower-case names of the commands that no lease sends. */
export const REFUSED_ON_LEASE = [...SUBSCRIPTION, ...REFUSED] as const;

/** Lower-case names of the commands that neither the pool nor a scope sends, whatever their arguments are. */
export const REFUSED_ON_POOL = [
  ...CONNECTION_RELATIVE,
  ...TRANSACTION_STATE,
  ...SESSION_STATE,
  ...REFUSED_ON_LEASE,
] as const;

/** Subcommands that are not plain, by command. `capa` and `import-source` are Valkey's. */
const SUBCOMMAND_CLASSES: ReadonlyMap<string, ReadonlyMap<string, CommandClass>> = new Map([
  [
    'client',
    classMap({
      'connection-relative': ['id', 'info', 'getname', 'getredir', 'trackinginfo'],
      'session-state': [
        'reply',
        'tracking',
        'caching',
        'setname',
        'setinfo',
        'no-evict',
        'no-touch',
        'capa',
        'import-source',
      ],
    }),
  ],
  ['script', classMap({ 'session-state': ['debug'] })],
  ['himport', classMap({ 'session-state': ['prepare', 'set', 'discard', 'discardall'] })],
]);

/** The metadata has flags for subcommands, but no public way to read them; a test compares the two. */
const READ_ONLY_SUBCOMMANDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['memory', new Set(['usage'])],
  ['object', new Set(['encoding', 'freq', 'idletime', 'refcount'])],
  ['xinfo', new Set(['consumers', 'groups', 'stream'])],
]);

const PROFILES: ReadonlyMap<string, CommandProfile> = buildProfiles();

/**
 * The profile of a command, in any letter case. One lookup for a known name in lower case; an unknown name
 * gets a new profile each time, so that names from outside cannot fill a cache.
 */
export function profileOf(name: string): CommandProfile {
  return PROFILES.get(name) ?? profileOfAnyCase(name.toLowerCase());
}

/**
 * The class of one call. Arguments are judged as ioredis sends them: strings, numbers and Buffers, with
 * arrays flattened one level. A missing or unknown subcommand is plain: the server answers it with an error.
 */
export function classify(profile: CommandProfile, args: readonly unknown[]): CommandClass {
  return profile.class === 'by-arguments' ? classifyByArguments(profile.name, args) : profile.class;
}

/**
 * Whether a call may be sent again after its reply was lost: it changes nothing and waits for nothing.
 * Knows the read-only subcommands and XREAD without BLOCK, which `profile.readOnly` leaves out.
 */
export function isReadOnly(profile: CommandProfile, args: readonly unknown[]): boolean {
  if (profile.readOnly) return true;
  if (profile.name === 'xread') return !hasBlockOption(flatten(args));
  return READ_ONLY_SUBCOMMANDS.get(profile.name)?.has(firstWord(args)) ?? false;
}

/**
 * The lower-case subcommand that decided the class of a call, if one did: `reply` for CLIENT REPLY OFF.
 * It comes from the table, never from the caller, so it may stand in an error message.
 */
export function subcommandOf(profile: CommandProfile, args: readonly unknown[]): string | undefined {
  const classes = SUBCOMMAND_CLASSES.get(profile.name);
  if (classes === undefined) return undefined;
  const word = firstWord(args);
  return classes.has(word) ? word : undefined;
}

/** Commands and subcommands with better advice than their class has. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['wait', 'use pool.writeDurably() or pool.lease()'],
  ['waitaof', 'use pool.writeDurably() or pool.lease()'],
  ['multi', 'use pool.multi() or pool.transaction()'],
  ['select', 'use another pool with its own option redis.db, or pool.lease()'],
  ['auth', 'set the option credentials, or use pool.lease()'],
  ['hello', 'set the option redis.protocol, or use pool.lease()'],
  ['client setname', 'set the option name, or use pool.lease()'],
  ['psubscribe', 'use pool.psubscribe()'],
  ['ssubscribe', 'use pool.ssubscribe()'],
  ['unsubscribe', 'end the subscription that pool.subscribe() returned'],
  ['punsubscribe', 'end the subscription that pool.psubscribe() returned'],
  ['sunsubscribe', 'end the subscription that pool.ssubscribe() returned'],
  ['monitor', 'use pool.dedicated()'],
  ['quit', 'use pool.close()'],
]);

/** The class's own advice; `refused` is what remains after the names above: replication. */
const CLASS_HINTS: Partial<Record<CommandClass, string>> = {
  'transaction-state': 'use pool.transaction() or pool.lease()',
  subscription: 'use pool.subscribe()',
  refused: 'use a replication client, no connection of the pool speaks that protocol',
};

/**
 * What to do instead of a command that was refused, as the end of a sentence:
 * `use pool.transaction() or pool.lease()`. Names in any letter case.
 */
export function refusalHint(name: string, commandClass: CommandClass, subcommand?: string): string {
  const key = subcommand === undefined ? name : `${name} ${subcommand}`;
  return HINTS.get(key.toLowerCase()) ?? CLASS_HINTS[commandClass] ?? 'use pool.lease()';
}

function profileOfAnyCase(name: string): CommandProfile {
  return PROFILES.get(name) ?? { name, class: 'unknown', readOnly: false };
}

function classifyByArguments(name: string, args: readonly unknown[]): CommandClass {
  const classes = SUBCOMMAND_CLASSES.get(name);
  if (classes !== undefined) return classes.get(firstWord(args)) ?? 'plain';
  return hasBlockOption(flatten(args)) ? 'blocking' : 'plain';
}

/**
 * Whether BLOCK stands among the options of XREAD or XREADGROUP, which end at STREAMS. A stream may be named
 * `block` (facts.md 28), and so may the group and the consumer after GROUP. Every other option has a number or
 * nothing after it, which cannot be mistaken, so that options of later servers need no entry here.
 */
function hasBlockOption(args: readonly unknown[]): boolean {
  return blockOptionAt(args) >= 0;
}

/** Where BLOCK stands among the options of XREAD or XREADGROUP, or -1. */
export function blockOptionAt(args: readonly unknown[]): number {
  for (let at = 0; at < args.length; at += 1) {
    const word = wordOf(args[at]);
    if (word === 'block') return at;
    if (word === 'streams') return -1;
    if (word === 'group') at += 2;
  }
  return -1;
}

function firstWord(args: readonly unknown[]): string {
  return wordOf(flatten(args)[0]);
}

/** As ioredis does it before sending; a deeper array is one argument there, and here. */
function flatten(args: readonly unknown[]): readonly unknown[] {
  return args.some(Array.isArray) ? args.flat() : args;
}

function wordOf(argument: unknown): string {
  const text = argument instanceof Uint8Array ? Buffer.from(argument).toString('latin1') : String(argument);
  return text.toLowerCase();
}

function buildProfiles(): ReadonlyMap<string, CommandProfile> {
  const byName = classMap({
    'connection-relative': CONNECTION_RELATIVE,
    'transaction-state': ['multi', ...TRANSACTION_STATE],
    'session-state': SESSION_STATE,
    subscription: SUBSCRIPTION,
    refused: REFUSED,
  });
  const classOf = (name: string): CommandProfile['class'] => {
    if (SUBCOMMAND_CLASSES.has(name) || name === 'xread' || name === 'xreadgroup') return 'by-arguments';
    return byName.get(name) ?? (hasFlag(name, 'blocking') ? 'blocking' : 'plain');
  };
  return new Map(
    knownCommands.map((name) => {
      const commandClass = classOf(name);
      const readOnly = commandClass === 'plain' && hasFlag(name, 'readonly');
      return [name, Object.freeze({ name, class: commandClass, readOnly })];
    }),
  );
}

function classMap(
  names: Partial<Record<CommandClass, readonly string[]>>,
): ReadonlyMap<string, CommandClass> {
  const entries = Object.entries(names) as [CommandClass, readonly string[]][];
  return new Map(entries.flatMap(([commandClass, members]) => members.map((name) => [name, commandClass])));
}
