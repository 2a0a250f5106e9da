import type {
  INestApplication,
  INestApplicationContext,
  ModuleMetadata,
  NestApplicationOptions,
} from '@nestjs/common';
import { afterEach } from 'vitest';
import { NEST_VERSIONS, type NestVersion, type Platform } from './nest-versions.js';

/** A version of Nest on a platform. */
export interface Stack {
  readonly nest: NestVersion;
  readonly platform: Platform;
}

/** For `test.each`. */
export const STACKS: readonly (readonly [name: string, stack: Stack])[] = NEST_VERSIONS.flatMap((nest) =>
  (['express', 'fastify'] as const).map(
    (platform) => [`${nest.name} on ${platform}`, { nest, platform }] as const,
  ),
);

interface AppSetup extends NestApplicationOptions {
  /** Before the application listens. */
  readonly prepare?: (app: INestApplication) => unknown;
}

/** Makes applications that are closed after the test, also when it failed. Call it after `useLeakCheck()`. */
export class NestApps {
  readonly #open: INestApplicationContext[] = [];

  constructor() {
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((app) => app.close()));
    });
  }

  async create({ nest, platform }: Stack, metadata: ModuleMetadata, options: NestApplicationOptions = {}) {
    const settings = { logger: false, abortOnError: false, ...options } as const;
    const adapter = nest.platforms[platform]();
    return this.add(await nest.core.NestFactory.create(moduleOf(nest, metadata), adapter, settings));
  }

  /** A listening application and its address. */
  async listen(stack: Stack, metadata: ModuleMetadata, { prepare, ...options }: AppSetup = {}) {
    const app = await this.create(stack, metadata, options);
    await prepare?.(app);
    await app.listen(0, '127.0.0.1');
    return { app, url: await app.getUrl() };
  }

  add<App extends INestApplicationContext>(app: App): App {
    this.#open.push(app);
    return app;
  }
}

/** A module class, as `@Module()` makes it. */
export function moduleOf({ common }: Pick<NestVersion, 'common'>, metadata: ModuleMetadata) {
  class App {}
  common.Module(metadata)(App);
  return App;
}
