import { z } from 'zod';

/** A request that is wrong, with the names of what is. */
export class InvalidRequest extends Error {
  readonly statusCode = 400;
  readonly fields: readonly string[];

  constructor(fields: readonly string[]) {
    super('The request is not valid');
    this.fields = fields;
  }
}

/** The value as the schema has it: what is not in it is left out. @throws InvalidRequest */
export function valid<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const fields = error.issues.flatMap(({ path: [name] }) => (name === undefined ? [] : [String(name)]));
  throw new InvalidRequest([...new Set(fields)].sort());
}

/** A path parameter: a short name that cannot reach other keys. */
export const nameSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
