import { RedisPoolError } from '../errors/errors.js';
import { nearestName } from './nearest-name.js';

/** Checks one value and returns it typed, or throws RP_ERR_INVALID_OPTION with the option's path. */
export type Rule<T> = (value: unknown, path: string) => T;

/** One rule for every key of an options type: a key without a rule does not compile. */
export type Rules<T> = { readonly [K in keyof T]-?: Rule<Exclude<T[K], undefined>> };

/** What passed its rules: the keys that were given, and none that was `undefined`. */
export type Checked<T> = { -readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** The message for a key that has no rule but is known elsewhere. */
export type Explain = (key: string, name: string) => string | undefined;

/** What `setTimeout` can wait, and the upper bound of everything that has no tighter one. */
export const MAX_INT32 = 2_147_483_647;

/** Longest piece of a received value that a message repeats. */
const MAX_ECHO = 64;

export function invalidOption(message: string): RedisPoolError {
  return new RedisPoolError('RP_ERR_INVALID_OPTION', message);
}

/** "Option path, rule, received value"; `received` is already in words, see {@link describeValue}. */
export function mustBe(path: string, rule: string, received: string): RedisPoolError {
  return invalidOption(`Option "${path}" must be ${rule}, received ${received}`);
}

/** A received value in words. A string that looks like a URL may hold a password, and is not repeated. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    if (/@|:\/\//.test(value)) return 'a string that looks like a URL';
    return JSON.stringify(value.length > MAX_ECHO ? `${value.slice(0, MAX_ECHO)}...` : value);
  }
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' || typeof value === 'function' ? describeType(value) : String(value);
}

/** The type only, for values that are secret. */
export function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value === '') return 'an empty string';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function integer(min: number, max: number = MAX_INT32): Rule<number> {
  return number(`an integer from ${min} to ${max}`, min, max);
}

export function milliseconds(min: number, max: number = MAX_INT32): Rule<number> {
  return number(`a whole number of milliseconds from ${min} to ${max}`, min, max);
}

function number(rule: string, min: number, max: number): Rule<number> {
  return (value, path) => {
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
    if (!fits) throw mustBe(path, rule, describeValue(value));
    return value;
  };
}

export const flag: Rule<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw mustBe(path, 'true or false', describeValue(value));
  return value;
};

export function oneOf<const T extends string | number>(...allowed: readonly T[]): Rule<T> {
  const rule = allowed.map((member) => JSON.stringify(member)).join(' or ');
  return (value, path) => {
    const match = allowed.find((member) => member === value);
    if (match === undefined) throw mustBe(path, rule, describeValue(value));
    return match;
  };
}

export function matching(pattern: RegExp, rule: string): Rule<string> {
  return (value, path) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw mustBe(path, rule, describeValue(value));
    return value;
  };
}

export const text: Rule<string> = matching(/^/, 'a string');
export const filledText: Rule<string> = matching(/./s, 'a non-empty string');

/** A password, a URL: the message says its type and no more. */
export const secretText: Rule<string> = (value, path) => {
  if (typeof value === 'string' && value !== '') return value;
  throw mustBe(path, 'a non-empty string', describeType(value));
};

/** A value of somebody else's interface (a callback, TLS, a NAT map): looked at by kind only, named by type only. */
export function foreign<T>(rule: string, ...kinds: readonly ((value: unknown) => boolean)[]): Rule<T> {
  return (value, path) => {
    if (!kinds.some((is) => is(value))) throw mustBe(path, rule, describeType(value));
    return value as T;
  };
}

export function callable<T>(): Rule<T> {
  return foreign('a function', isFunction);
}

export function foreignObject<T>(): Rule<T> {
  return foreign('an object', isRecord);
}

export function filledList<T>(member: Rule<T>): Rule<T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length === 0) {
      throw mustBe(path, 'a non-empty array', Array.isArray(value) ? 'an empty array' : describeValue(value));
    }
    return Array.from(value, (item: unknown, index) => member(item, `${path}[${index}]`));
  };
}

/**
 * Reads an options object by the rules of its keys into a new one; the given object is left alone.
 *
 * Its own keys count, and known ones that its class or prototype has (but not what was put on Object.prototype).
 * A known key that is `undefined` counts as left out. `explain` has the message for keys that are known but do not
 * belong here; every other key is an error with the nearest known name.
 */
export function fields<T extends object>(
  rules: Rules<T>,
  explain: Explain = () => undefined,
): Rule<Checked<T>> {
  return (value, path) => {
    if (!isRecord(value)) throw mustBe(path, 'an object', describeType(value));
    const checked: Record<string, unknown> = {};
    for (const key of keysOf(value, rules)) {
      const given = value[key];
      const name = path === '' ? key : `${path}.${key}`;
      const rule = ruleOf(rules, key, name, explain);
      if (given !== undefined) checked[key] = rule(given, name);
    }
    return checked as Checked<T>;
  };
}

function keysOf(value: object, rules: object): Set<string> {
  const inherited = Object.keys(rules).filter((key) => key in value && !(key in Object.prototype));
  return new Set([...Object.keys(value), ...inherited]);
}

/** The rule of a key; for one that belongs elsewhere, a rule that refuses every value. */
function ruleOf(rules: object, key: string, name: string, explain: Explain): Rule<unknown> {
  if (Object.hasOwn(rules, key)) return Reflect.get(rules, key);
  const elsewhere = explain(key, name);
  if (elsewhere === undefined) throw invalidOption(unknownKey(key, name, Object.keys(rules)));
  return () => {
    throw invalidOption(elsewhere);
  };
}

/** Names the nearest known key, or all of them when none is near. */
function unknownKey(key: string, name: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  if (nearest === undefined) return `Unknown option "${name}", known are ${known.join(', ')}`;
  const prefix = name.slice(0, name.length - key.length);
  return `Unknown option "${name}", did you mean "${prefix}${nearest}"?`;
}
