import { Server } from 'node:net';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import type { RedisPool } from '@redis-pool/core';
import {
  abandonPool,
  invalidOption,
  MountedPools,
  openPool,
  type PoolSource,
  ServerTraffic,
  startPool,
  type WebPoolOptions,
} from '@redis-pool/core/adapter';
import { bindRequests } from './binding.js';
import { RedisPoolExceptionFilter } from './exception-filter.js';
import { nestLogger } from './nest-logger.js';
import { ShutdownHooksCheck } from './shutdown-hooks-check.js';

const ADAPTER = 'RedisPoolModule';

interface OpenPool {
  readonly source: PoolSource;
  readonly options: WebPoolOptions<never>;
}

/** The pools of one application: opened by its modules, mounted on its server, closed by its shutdown hooks. */
@Injectable()
export class ApplicationPools
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #mounted = new MountedPools();
  readonly #opened: OpenPool[] = [];
  readonly #adapterHost: HttpAdapterHost;
  readonly #shutdownHooks = new ShutdownHooksCheck();
  #traffic: ServerTraffic | undefined;
  #isBound = false;
  /** Why the application could not be started. */
  #failure: { readonly error: unknown } | undefined;

  constructor(
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
    @Inject(ApplicationConfig) config: ApplicationConfig,
  ) {
    this.#adapterHost = adapterHost;
    // Of global filters the last one is asked first: before all others, this one is the last resort.
    config.addGlobalFilter(new RedisPoolExceptionFilter(adapterHost));
    this.#bind();
    // @nestjs/testing makes the modules first and the application later. Older versions of Nest do not tell.
    (adapterHost as Partial<HttpAdapterHost>).init$?.subscribe(() => this.#bind());
  }

  /** @throws RedisPoolError `RP_ERR_INVALID_OPTION`, `RP_ERR_POOL_CONFLICT` */
  async open(namespace: string | undefined, given: WebPoolOptions<never>): Promise<RedisPool> {
    // Nest makes pools at the same time: one may come after another has failed.
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      const options = withNamespace(given, namespace);
      this.#mounted.checkFree(namespace, ADAPTER);
      const source = openPool(options, nestLogger());
      this.#opened.push({ source, options });
      this.#mounted.add(source);
      return source.pool;
    } catch (error) {
      await this.#abandon(error);
      throw error;
    }
  }

  async onModuleInit(): Promise<void> {
    this.#bind();
    try {
      await Promise.all(this.#opened.map(({ source, options }) => startPool(source, options)));
    } catch (error) {
      await this.#abandon(error);
      throw error;
    }
  }

  onApplicationBootstrap(): void {
    this.#shutdownHooks.start();
    const server: unknown = this.#adapterHost.httpAdapter?.getHttpServer();
    if (server instanceof Server) this.#traffic = new ServerTraffic(server);
  }

  /**
   * The last hook before Nest closes its servers, which wait for their connections: streams and parked commands have
   * to end first. Not onModuleDestroy: a delay for load balancers (Terminus) comes between the two.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.#shutdownHooks.stop();
    this.#mounted.endWaits();
    // Nest waits for every connection, and clients that keep theirs and go on asking would make it wait for ever.
    await this.#traffic?.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#mounted.close();
    this.#traffic?.unwatch();
  }

  #bind(): void {
    const { httpAdapter } = this.#adapterHost;
    // Without one the application serves no HTTP.
    if (this.#isBound || !httpAdapter) return;
    this.#isBound = true;
    bindRequests(httpAdapter, this.#mounted);
  }

  // What could not be started leaves nothing open, though Nest closes no application that it could not start.
  async #abandon(error: unknown): Promise<void> {
    this.#failure ??= { error };
    await Promise.all(this.#opened.map(({ source }) => abandonPool(source)));
  }
}

function withNamespace(options: WebPoolOptions<never>, namespace: string | undefined): WebPoolOptions<never> {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw invalidOption(`The options of RedisPoolModule must be an object, received ${given}`);
  }
  const { namespace: made = namespace } = options;
  // It is the name to inject by, which Nest has to know before it calls a factory.
  if (made === namespace) return { ...options, namespace };
  throw invalidOption(
    `Option "namespace" of forRootAsync() stands beside the factory, received '${made}' from it`,
  );
}
