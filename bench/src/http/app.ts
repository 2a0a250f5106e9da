import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';

/** Commands of one request; each has its route, `/1` and `/10`. */
export const COMMAND_COUNTS = [1, 10] as const;
export type CommandCount = (typeof COMMAND_COUNTS)[number];

/** Reads the values of one request, all at once. */
export type Read = (
  context: { readonly app: FastifyInstance; readonly request: FastifyRequest },
  keys: readonly string[],
) => Promise<unknown>;

/** The app of every variant: it differs in nothing but the way to Redis. */
export function createApp(keys: readonly string[], read: Read): FastifyInstance {
  const app = Fastify({ logger: false });
  let requests = 0;
  for (const count of COMMAND_COUNTS) {
    const groups = keys.map((_, at) => pick(keys, at, count));
    app.get(`/${count}`, async (request) => {
      const group = groups[requests++ % groups.length] as readonly string[];
      return { values: await read({ app, request }, group) };
    });
  }
  return app;
}

function pick(keys: readonly string[], at: number, count: number): string[] {
  return Array.from({ length: count }, (_, offset) => keys[(at + offset) % keys.length] as string);
}
