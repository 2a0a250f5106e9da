import {
  type AdapterHarness,
  adapterContract,
  type ContractApp,
  type ContractRoute,
  type ContractSetup,
} from '@redis-pool/testkit/adapter-contract';
import type { Express, RequestHandler } from 'express';
import { type RedisMiddleware, type RedisPoolMiddlewareOptions, redisPool } from '../src/index.js';
import { MAJORS, urlOf } from './apps.js';

for (const [name, express] of MAJORS) {
  const harness: AdapterHarness = { name, start: (setup) => start(express(), setup) };
  adapterContract(harness);
}

async function start(app: Express, { pools, routes, log = () => {} }: ContractSetup): Promise<ContractApp> {
  const mounts: RedisMiddleware[] = [];
  try {
    for (const options of pools) {
      mounts.push(redisPool({ ...loggerFor(options, log), ...options } as RedisPoolMiddlewareOptions));
    }
    for (const mount of mounts) await mount.ready();
  } catch (error) {
    await Promise.all(mounts.map((mount) => mount.close({ timeoutMs: 100 })));
    throw error;
  }
  for (const mount of mounts) app.use(mount);
  for (const { path, handle } of routes) app.get(path, handlerOf(handle));
  for (const { errorHandler } of mounts) app.use(errorHandler);
  const server = app.listen(0, '127.0.0.1');
  const closings = mounts.map((mount) => mount.closeWith(server));
  return {
    url: await urlOf(server),
    server,
    pool: (namespace) =>
      mounts[pools.findIndex((options) => Reflect.get(options, 'namespace') === namespace)]?.pool,
    close: async () => {
      await Promise.all(closings.map((closing) => closing.close()));
    },
  };
}

// A handle has its logger already.
function loggerFor(options: object, log: (line: string) => void) {
  if (Reflect.get(options, 'client') !== undefined) return {};
  const note = (fields: object, message: string): void => log(JSON.stringify({ ...fields, message }));
  return { logger: { debug: note, info: note, warn: note, error: note } };
}

function handlerOf(handle: ContractRoute['handle']): RequestHandler {
  return (request, response, next) => {
    const answer = async (): Promise<void> => {
      const value = await handle({
        get redis() {
          return request.redis;
        },
        query: request.query as Record<string, string>,
        request,
        response,
      });
      if (!response.headersSent) response.json(value ?? null);
    };
    // Express 4 does not wait for it.
    answer().catch(next);
  };
}
