import { getKeyIndexes, list as knownCommands } from '@ioredis/commands';
import type { PoolCommand } from '../commands/command.js';
import { type CommandProfile, profileOf } from '../commands/routing.js';
import { allKeysError, crossSlotError, crossSlotKeysError } from '../errors/refusal.js';
import { SLOT_COUNT, slotOfKey } from './key-slot.js';

/** Instead of a slot: of a command that has not been placed, or whose keys nobody knows yet. */
export const UNPLACED = -1;

/** Instead of a slot: of a command without keys. */
export const KEYLESS = -2;

/** Commands about all keys there are; one node of a cluster has only its own. */
const ABOUT_ALL_KEYS: ReadonlySet<string> = new Set([
  ...['scan', 'keys', 'dbsize', 'randomkey', 'flushall', 'flushdb', 'swapdb'],
]);

/** What the metadata says of other arguments decides where their keys are. */
const SPECIAL: ReadonlySet<string> = new Set([
  'sort',
  'sort_ro',
  'georadius',
  'georadiusbymember',
  'migrate',
]);

const FIRST_ONLY: ReadonlySet<CommandProfile> = new Set(knownCommands.filter(hasFirstKeyOnly).map(profileOf));

function hasFirstKeyOnly(name: string): boolean {
  const samples = [1, 2, 3, 4, 5, 6].map((count) => getKeyIndexes(name, Array(count).fill('x')));
  return !SPECIAL.has(name) && samples.every((indexes) => indexes.length === 1 && indexes[0] === 0);
}

/** Where the keys of a command are that the routing table does not know; `undefined` while nobody has asked. */
export type LearnedKeys = (name: string) => readonly number[] | undefined;

/**
 * The slot of all keys of a command; {@link KEYLESS} without any, {@link UNPLACED} where it is not known yet.
 *
 * @throws RedisPoolError `RP_ERR_CROSS_SLOT`
 */
export function slotOfCommand(command: PoolCommand, learned: LearnedKeys): number {
  const { profile, args } = command;
  if (FIRST_ONLY.has(profile)) return args.length === 0 ? KEYLESS : slotOfKey(args[0] as string);
  if (ABOUT_ALL_KEYS.has(profile.name)) throw allKeysError(command);
  const indexes = profile.class === 'unknown' ? learned(profile.name) : keyIndexesOf(command);
  if (indexes === undefined) return UNPLACED;
  let slot = KEYLESS;
  for (const index of indexes) {
    const key = args[index];
    // Too few arguments: the server says so.
    if (key === undefined) continue;
    const own = slotOfKey(key);
    if (slot !== KEYLESS && own !== slot) throw crossSlotError(command, 'has keys of several slots');
    slot = own;
  }
  return slot;
}

function keyIndexesOf({ profile: { name }, args }: PoolCommand): readonly number[] {
  if (name === 'sort' || name === 'sort_ro') return sortKeyIndexes(args);
  // Not `args` itself: it may belong to the caller. A number of keys that cannot be is for the server to refuse: here it
  // would be counted up to.
  const words = args.map((word, index) => (index < 2 && Number(word) > args.length ? '0' : word));
  return getKeyIndexes(name, words).filter((index) => Number.isInteger(index));
}

/** The metadata counts the patterns after BY and GET as keys; whether the server takes them is for it to say. */
function sortKeyIndexes(args: readonly (string | Buffer)[]): readonly number[] {
  const store = args.map((word) => word.toString().toLowerCase()).lastIndexOf('store');
  return store > 0 ? [0, store + 1] : [0];
}

/**
 * The slot of keys as the caller names them; `undefined` without any.
 *
 * @throws RedisPoolError `RP_ERR_CROSS_SLOT`
 */
export function slotOfKeys(keys: readonly (string | Buffer)[], prefix: string): number | undefined {
  const slots = new Set(keys.map((key) => slotOfKey(withPrefix(prefix, key))));
  if (slots.size > 1) throw crossSlotKeysError('transaction()');
  return slots.values().next().value;
}

function withPrefix(prefix: string, key: string | Buffer): string | Buffer {
  return typeof key === 'string' ? prefix + key : Buffer.concat([Buffer.from(prefix), key]);
}

/** Commands without a key all go where this slot is, which keeps them in the order of the calls. */
export const KEYLESS_SLOT = 0;

/** The slot of commands that belong together: their keys have no more than one. */
export function slotOfAll(commands: readonly PoolCommand[]): number {
  return commands.find(({ slot }) => slot >= 0)?.slot ?? KEYLESS_SLOT;
}

/** Whether a number can be a slot. */
export function isSlot(slot: number): boolean {
  return Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT;
}
