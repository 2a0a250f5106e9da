import type { FastifyInstance } from 'fastify';
import type { Target } from '../peers/peer.js';

/** Ways to Redis from a Fastify handler, in the order of tables and charts. */
export const VARIANT_IDS = [
  'no-redis',
  'redis-pool',
  'redis-pool-plugin',
  'redis-pool-request',
  'fastify-redis',
  'ioredis-autopipelining',
  'node-redis',
  'generic-pool',
  'connection-per-request',
  'connection-per-command',
] as const;
export type VariantId = (typeof VARIANT_IDS)[number];

export interface VariantOptions {
  readonly target: Extract<Target, { transport: 'tcp' }>;
  readonly keys: readonly string[];
  readonly value: string;
}

export type StartVariant = (options: VariantOptions) => Promise<{ readonly app: FastifyInstance }>;
