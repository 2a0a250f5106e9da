import 'reflect-metadata';
import { createRequire } from 'node:module';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import * as testing from '@nestjs/testing';
import * as adapter from '../src/index.js';

/** A version of Nest, and this package as an application of that version has it. */
export interface NestVersion {
  readonly name: string;
  readonly common: typeof common;
  readonly core: typeof core;
  readonly testing: typeof testing;
  readonly adapter: typeof adapter;
  readonly platforms: Readonly<Record<Platform, () => core.AbstractHttpAdapter>>;
}

export type Platform = 'express' | 'fastify';

export const nest12: NestVersion = {
  name: 'nestjs 12',
  common,
  core,
  testing,
  adapter,
  platforms: { express: () => new ExpressAdapter(), fastify: () => new FastifyAdapter() },
};

// Nest 11 is CommonJS, and so are most applications of it. The same sources, in a package whose Nest is that.
const require11 = createRequire(new URL('../../nestjs-11/package.json', import.meta.url));
const express11 = require11('@nestjs/platform-express') as { ExpressAdapter: typeof ExpressAdapter };
const fastify11 = require11('@nestjs/platform-fastify') as { FastifyAdapter: typeof FastifyAdapter };

const nest11: NestVersion = {
  name: 'nestjs 11',
  common: require11('@nestjs/common') as typeof common,
  core: require11('@nestjs/core') as typeof core,
  testing: require11('@nestjs/testing') as typeof testing,
  adapter: require11('./dist/index.js') as typeof adapter,
  platforms: {
    express: () => new express11.ExpressAdapter(),
    fastify: () => new fastify11.FastifyAdapter(),
  },
};

export const NEST_VERSIONS: readonly NestVersion[] = [nest12, nest11];
