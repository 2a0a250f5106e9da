import type { RedisCommander } from 'ioredis';
import type { REFUSED_ON_LEASE, REFUSED_ON_POOL } from './routing.js';

declare module 'ioredis/built/utils/RedisCommander.js' {
  // ioredis's own way to tell what a method returns by the kind of its object; a pipeline's methods return it.
  interface ResultTypes<Result, Context> {
    redisPoolPipeline: RedisPipeline;
  }
}

type WithBuffer<Name extends string> = Name | `${Name}Buffer`;

/** Methods of ioredis that need a connection of their own and therefore do not exist on shared objects. */
type RefusedOnPool = WithBuffer<(typeof REFUSED_ON_POOL)[number]>;

/**
 * Every command that may run on a shared connection, with the arguments and replies of ioredis: promises,
 * callbacks and `...Buffer` variants. Commands added to ioredis's `RedisCommander` interface are here too.
 */
export type PoolCommands = Omit<RedisCommander<{ type: 'default' }>, RefusedOnPool | 'multi' | 'pipeline'>;

/** Every command that may run on a connection of one's own: all but those that take the socket over. */
export type LeaseCommands = Omit<
  RedisCommander<{ type: 'default' }>,
  WithBuffer<(typeof REFUSED_ON_LEASE)[number]> | 'multi' | 'pipeline' | 'exec'
>;

/** What one command of a pipeline came to: `[error]` or `[null, reply]`. */
export type PipelineResult = [error: Error | null, result: unknown];

type ChainedCommands = Omit<
  RedisCommander<{ type: 'redisPoolPipeline' }>,
  RefusedOnPool | 'exec' | 'execBuffer' | 'multi' | 'pipeline'
>;

/** A chain of commands that leaves in one write; see `RedisPool.pipeline()` and `RedisPool.multi()`. */
export interface RedisPipeline extends ChainedCommands {
  /** How many commands are queued. */
  readonly length: number;
  /** Opens a transaction inside the pipeline; the next `exec()` closes it, the one after sends the pipeline. */
  multi(): this;
  /**
   * Sends the commands and resolves with one tuple for each, as in ioredis; for `pool.multi()` with those of the
   * transaction. An error reply of one command is in its tuple.
   *
   * Unlike in ioredis a lost connection or a passed deadline rejects.
   */
  exec(
    callback?: (error: Error | null, results?: PipelineResult[] | null) => void,
  ): Promise<PipelineResult[] | null>;
  /** As `exec()`, but resolves with the plain replies and rejects with the first error reply. */
  execOrThrow(): Promise<unknown[]>;
}
