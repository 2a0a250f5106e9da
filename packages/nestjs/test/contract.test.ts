import type { Server, ServerResponse } from 'node:http';
import type { DynamicModule, INestApplication, LoggerService, Type } from '@nestjs/common';
import {
  type AdapterHarness,
  adapterContract,
  type ContractApp,
  type ContractRoute,
  type ContractSetup,
} from '@redis-pool/testkit/adapter-contract';
import type { RedisPoolModuleOptions } from '../src/index.js';
import { NEST_VERSIONS, type NestVersion, type Platform } from './nest-versions.js';

/** The response as Express has it, or the reply of Fastify. */
interface PlatformResponse {
  readonly raw?: ServerResponse;
  hijack?(): void;
  type(type: string): { send(body: string): void };
}

interface PlatformRequest {
  readonly redis: unknown;
  readonly query: Readonly<Record<string, string>>;
}

for (const nest of NEST_VERSIONS) {
  for (const platform of ['express', 'fastify'] as const) adapterContract(harnessOf(nest, platform));
}

function harnessOf(nest: NestVersion, platform: Platform): AdapterHarness {
  return { name: `${nest.name} on ${platform}`, start: (setup) => start(nest, platform, setup) };
}

async function start(nest: NestVersion, platform: Platform, setup: ContractSetup): Promise<ContractApp> {
  const { core, adapter } = nest;
  const imports = setup.pools.map((options) =>
    adapter.RedisPoolModule.forRoot(options as RedisPoolModuleOptions),
  );
  const module = appModule(nest, imports, setup.routes);
  const logger = loggerTo(setup.log ?? (() => {}));
  const app = await core.NestFactory.create(module, nest.platforms[platform](), {
    logger,
    abortOnError: false,
  });
  await app.listen(0, '127.0.0.1');
  const pool = (namespace?: string): unknown => app.get(adapter.getRedisToken(namespace));
  return { url: await app.getUrl(), server: serverOf(app), pool, close: () => app.close() };
}

function serverOf(app: INestApplication): Server {
  return app.getHttpServer() as Server;
}

/** A module with a controller that has the routes. */
function appModule(
  { common }: NestVersion,
  imports: DynamicModule[],
  routes: readonly ContractRoute[],
): Type {
  class Routes {}
  for (const { path, handle } of routes) {
    const method = async (request: PlatformRequest, response: PlatformResponse): Promise<void> => {
      await answer(handle, request, response);
    };
    const descriptor = { value: method, configurable: true };
    Object.defineProperty(Routes.prototype, path, descriptor);
    common.Get(path)(Routes.prototype, path, descriptor);
    common.Req()(Routes.prototype, path, 0);
    common.Res()(Routes.prototype, path, 1);
  }
  common.Controller()(Routes);
  class App {}
  common.Module({ imports, controllers: [Routes] })(App);
  return App;
}

async function answer(
  handle: ContractRoute['handle'],
  request: PlatformRequest,
  response: PlatformResponse,
): Promise<void> {
  const raw = response.raw ?? (response as unknown as ServerResponse);
  const value = await handle({
    get redis() {
      return request.redis;
    },
    query: request.query,
    request,
    response: raw,
  });
  if (raw.headersSent) response.hijack?.();
  else response.type('application/json').send(JSON.stringify(value ?? null));
}

function loggerTo(log: (line: string) => void): LoggerService {
  const write = (...parts: unknown[]): void => log(parts.join(' '));
  return { log: write, error: write, warn: write, debug: write, verbose: write, fatal: write };
}
