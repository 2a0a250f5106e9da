import { ClusterEngine } from './cluster/cluster-engine.js';
import { RedisPoolError } from './errors/errors.js';
import { differingOptions, type ResolvedOptions } from './options/resolved-options.js';
import type { PoolEngine } from './pool-engine.js';
import { StandaloneEngine } from './standalone-engine.js';
import { VERSION } from './version.js';

interface Entry {
  readonly engine: PoolEngine;
  handles: number;
}

/**
 * The engines of this process, on `globalThis` so that a second copy of this package, or the same one loaded
 * again by a hot reload, finds the connections of the first. Copies of another major version keep apart: the
 * engine's inner interface may differ.
 */
const engines = sharedMap();

function sharedMap(): Map<string, Entry> {
  const key = Symbol.for(`@redis-pool/core/engines/${majorVersion()}`);
  const shared = globalThis as { [key: symbol]: Map<string, Entry> | undefined };
  shared[key] ??= new Map();
  return shared[key];
}

/** Below 1.0 each minor version may break. */
function majorVersion(): string {
  const [major, minor] = VERSION.split('.');
  return major === '0' ? `0.${minor}` : `${major}`;
}

/**
 * Joins the running engine of that name, or starts one. Each call counts as one handle.
 *
 * @throws RedisPoolError `RP_ERR_POOL_CONFLICT` when it runs with other options.
 */
export function joinEngine(options: ResolvedOptions): PoolEngine {
  const running = engines.get(options.name);
  if (running === undefined) {
    const engine =
      options.endpoint.kind === 'cluster' ? new ClusterEngine(options) : new StandaloneEngine(options);
    engines.set(options.name, { engine, handles: 1 });
    return engine;
  }
  const differing = differingOptions(running.engine.options, options);
  if (differing.length > 0) {
    const names = differing.map((name) => `"${name}"`).join(', ');
    const message = `Redis pool "${options.name}" runs already with other options: ${names}. Use getRedisPool("${options.name}") to join it, or another name`;
    throw new RedisPoolError('RP_ERR_POOL_CONFLICT', message);
  }
  running.handles += 1;
  return running.engine;
}

/** @throws RedisPoolError `RP_ERR_UNKNOWN_POOL` */
export function joinRunningEngine(name: string): PoolEngine {
  const running = engines.get(name);
  if (running === undefined) {
    const known = [...engines.keys()].map((other) => `"${other}"`).join(', ') || 'none';
    throw new RedisPoolError(
      'RP_ERR_UNKNOWN_POOL',
      `No Redis pool "${name}" runs in this process; running: ${known}`,
    );
  }
  running.handles += 1;
  return running.engine;
}

/** Gives a handle back. `true`: it was the last one, the name is free again, and the caller has to end the engine. */
export function leaveEngine(engine: PoolEngine): boolean {
  const entry = engines.get(engine.options.name);
  if (entry === undefined || entry.engine !== engine) return true;
  entry.handles -= 1;
  if (entry.handles > 0) return false;
  engines.delete(engine.options.name);
  return true;
}
