/**
 * A deeply frozen copy of plain data. Functions, Buffers and instances of classes (a TLS SecureContext) are kept by
 * reference and as they are: they belong to the caller, and a Buffer cannot be frozen.
 */
export function frozenCopy<T>(value: T): T {
  if (Array.isArray(value)) return Object.freeze(value.map((member: unknown) => frozenCopy(member))) as T;
  if (!isPlain(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => [key, frozenCopy(member)]);
  return Object.freeze(Object.fromEntries(entries)) as T;
}

/**
 * Freezes `shown` with the members of `secrets` added as non-enumerable ones: readable by name, but left out by
 * `util.inspect`, JSON, spread and every logger. Members that are `undefined` are added too.
 */
export function withSecrets<T extends object, S extends object>(shown: T, secrets: S): Readonly<T & S> {
  for (const [key, value] of Object.entries(secrets))
    Object.defineProperty(shown, key, { value: frozenCopy(value) });
  return Object.freeze(shown) as Readonly<T & S>;
}

/** Made by a literal or `Object.create(null)`: data, and nobody's class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
