/** A schema of path parameters: short names that cannot reach other keys. */
export function nameParams<Name extends string>(...names: Name[]) {
  const properties = names.map((name) => [name, { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' }]);
  return { type: 'object', required: names, properties: Object.fromEntries(properties) };
}
