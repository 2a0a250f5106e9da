import {
  type AdapterHarness,
  adapterContract,
  type ContractApp,
  type ContractRoute,
  type ContractSetup,
} from '@redis-pool/testkit/adapter-contract';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { type RedisMiddleware, type RedisPoolMiddlewareOptions, redisPool } from '../src/index.js';
import { MAJORS, urlOf } from './apps.js';
import { get } from './http.js';

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
  app.use(...mounts);
  // Pools that cannot go together meet at a request.
  let conflict: unknown;
  app.get('/mounted', (request, response) => void response.json(typeof request.redis));
  app.use(
    '/mounted',
    noteConflict((error) => {
      conflict = error;
    }),
  );
  for (const { path, handle } of routes) app.get(path, handlerOf(handle));
  for (const { errorHandler } of mounts) app.use(errorHandler);
  const server = app.listen(0, '127.0.0.1');
  const closings = mounts.map((mount) => mount.closeWith(server));
  const close = async (): Promise<void> => {
    await Promise.all(closings.map((closing) => closing.close()));
  };
  const url = await urlOf(server);
  if (mounts.length > 1) await get(`${url}/mounted`);
  if (conflict !== undefined) {
    await close();
    throw conflict;
  }
  return {
    url,
    server,
    pool: (namespace) =>
      mounts[pools.findIndex((options) => Reflect.get(options, 'namespace') === namespace)]?.pool,
    close,
  };
}

function noteConflict(note: (error: unknown) => void): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    note(error);
    response.sendStatus(500);
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
