import type { Logger } from '../options/logger.js';
import { createRedisPool, type RedisPool } from '../pool.js';
import { checkWebOptions, poolOptionsOf, type RequestOptions, type WebPoolOptions } from './web-options.js';

/** To give up a pool that never had a connection. */
const ABANDON_TIMEOUT_MS = 100;

/** One pool of an application: its handle, whose it is, and how it serves requests. */
export interface PoolSource {
  readonly pool: RedisPool;
  /** Whether the adapter made the handle, or was asked to close it. */
  readonly owned: boolean;
  readonly namespace: string | undefined;
  readonly requests: RequestOptions<never>;
}

/**
 * The pool that the options name: the given one, or a new handle.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, `RP_ERR_POOL_CONFLICT`
 */
export function openPool(options: WebPoolOptions<never>, logger: Logger | undefined): PoolSource {
  checkWebOptions(options);
  const { namespace, client, closeClient } = options;
  const requests = requestOptionsOf(options);
  if (client !== undefined) return { pool: client, owned: closeClient === true, namespace, requests };
  const poolOptions = poolOptionsOf(options);
  // Two namespaces are two pools also where nobody thought of naming them.
  const name = poolOptions.name ?? namespace;
  const pool = createRedisPool({ ...poolOptions, name, logger: poolOptions.logger ?? logger });
  return { pool, owned: true, namespace, requests };
}

/**
 * Starts a pool as its `startup` says. `limitMs`: the longest that the application may wait for one that is required.
 * @default the pool's connectTimeoutMs
 *
 * @throws RedisPoolError what `pool.ready()` rejects with; the pool goes on connecting until it is given up
 */
export async function startPool(
  { pool }: PoolSource,
  { startup = 'require' }: Pick<WebPoolOptions<never>, 'startup'>,
  limitMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  // The pool logs how it goes, and goes on trying.
  if (startup === 'optional') pool.ready().catch(() => {});
  if (startup !== 'require') return;
  await pool.ready({ timeoutMs: Math.min(limitMs, pool.limits.connectTimeoutMs) });
}

/** Gives up a pool that could not be started or mounted; never rejects. */
export async function abandonPool({ pool, owned }: PoolSource): Promise<void> {
  if (owned) await pool.close({ timeoutMs: ABANDON_TIMEOUT_MS });
}

function requestOptionsOf(options: RequestOptions<never>): RequestOptions<never> {
  const { onHangUp, forgottenLeaseMs, requestTimeoutMs, requestSignal, serverTiming } = options;
  return { onHangUp, forgottenLeaseMs, requestTimeoutMs, requestSignal, serverTiming };
}
