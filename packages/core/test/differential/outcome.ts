import { ReplyError } from 'ioredis';

/** What one call came to, in a form in which two clients can be compared. */
export type Outcome =
  | { readonly reply: unknown }
  | { readonly error: unknown }
  | { readonly thrown: unknown };

/** Makes the call, and waits for what it promised. */
export async function outcomeOf(call: () => unknown): Promise<Outcome> {
  let promised: unknown;
  try {
    promised = call();
  } catch (error) {
    return { thrown: comparable(error) };
  }
  try {
    return { reply: comparable(await promised) };
  } catch (error) {
    return { error: comparable(error) };
  }
}

/** The same value with each error replaced by what is public on it; prototypes and odd keys stay. */
export function comparable(value: unknown): unknown {
  return mapLeaves(value, (leaf) => (leaf instanceof Error ? describeError(leaf) : leaf));
}

/** Structure and types of a value: what two replies have in common that hold a time or a random choice. */
export function shapeOf(value: unknown): unknown {
  return mapLeaves(value, (leaf) => {
    if (Buffer.isBuffer(leaf)) return 'a Buffer';
    return leaf === null ? 'null' : `a ${typeof leaf}`;
  });
}

/** Without the last digits of doubles, which ioredis 6.0.0 gets wrong with `replyMapping: 'resp3'`. */
export function withRoundedDoubles(value: unknown): unknown {
  return mapLeaves(value, (leaf) => {
    const isDouble = typeof leaf === 'number' && !Number.isInteger(leaf) && Number.isFinite(leaf);
    return isDouble ? Number(leaf.toPrecision(14)) : leaf;
  });
}

/** Without the integers that ioredis 6.0.0 gets wrong: those near 2^53 and beyond. */
export function withoutLargeIntegers(value: unknown): unknown {
  const isLarge = (leaf: unknown): boolean => Number.isInteger(leaf) && Math.abs(leaf as number) > 2 ** 52;
  return mapLeaves(value, (leaf) => (isLarge(leaf) ? 'a large integer' : leaf));
}

/** Copies arrays and plain objects, with other leaves. */
function mapLeaves(value: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((member) => mapLeaves(member, change));
  if (!isPlainObject(value)) return change(value);
  const copy: object = Object.create(Object.getPrototypeOf(value));
  for (const [key, member] of Object.entries(value)) define(copy, key, mapLeaves(member, change));
  return copy;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

// A bare assignment of `__proto__` would be lost.
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** `command.args` is left out: the pool never keeps them on an error; see DIFFERENCES in every-command.test.ts. */
function describeError(error: Error & { readonly command?: { readonly name: string } }): object {
  const { name, message, command } = error;
  const members = mapLeaves({ ...error }, comparable) as object;
  const own = command === undefined ? members : { ...members, command: { name: command.name } };
  return { isReplyError: error instanceof ReplyError, name, message, ...own };
}
