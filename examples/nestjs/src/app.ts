import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { RedisPoolOptions } from '@redis-pool/core';
import cookieParser from 'cookie-parser';
import helmet from 'helmet';
import { AppModule } from './app.module.js';
import { ErrorFilter } from './http/error.filter.js';
import { onlyJson } from './http/only-json.js';
import { secureHeaders } from './http/secure-headers.js';
import { validation } from './http/validation.js';
import type { Settings } from './settings.js';

const BODY_LIMIT = '16kb';
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url));

/** The application, complete but for listening. `redis`: more options of the pool. */
export async function buildApp(
  settings: Settings,
  redis: RedisPoolOptions = {},
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings, redis), {
    logger: settings.logs ? new ConsoleLogger({ json: true }) : false,
    // What goes wrong at the start is for the caller.
    abortOnError: false,
    bodyParser: false,
  });
  app.set('trust proxy', settings.trustProxy ?? false);
  app.disable('x-powered-by');
  app.use(helmet(secureHeaders));
  app.use(cookieParser());
  app.use(onlyJson);
  app.useBodyParser('json', { limit: BODY_LIMIT });
  app.useStaticAssets(PUBLIC);
  app.useGlobalPipes(validation);
  app.useGlobalFilters(new ErrorFilter());
  return app;
}
