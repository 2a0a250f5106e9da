import { mustBe } from '../options/option-rules.js';
import type { ClusterConnectionOptions } from '../options/options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { translator } from './nat-map.js';
import type { NodeAddress } from './redirection.js';
import type { Translate } from './topology.js';

/** What the options say of a cluster, complete. Defaults are those of ioredis. */
export interface ClusterSettings {
  /** To ask for the others. */
  readonly seeds: readonly NodeAddress[];
  readonly translate: Translate;
  readonly maxRedirections: number;
  readonly waitMs: { readonly clusterDown: number; readonly tryAgain: number };
  readonly refresh: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly scaleReads: 'master' | 'slave' | 'all';
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function clusterSettings({ endpoint }: ResolvedOptions): ClusterSettings {
  if (endpoint.kind !== 'cluster') throw new Error('These are not the options of a cluster');
  const { options } = endpoint;
  return {
    seeds: endpoint.nodes,
    translate: translator(options.natMap),
    maxRedirections: options.maxRedirections ?? 16,
    waitMs: {
      clusterDown: options.retryDelayOnClusterDown ?? 100,
      tryAgain: options.retryDelayOnTryAgain ?? 100,
    },
    refresh: {
      intervalMs: options.slotsRefreshInterval ?? 5_000,
      timeoutMs: options.slotsRefreshTimeout ?? 1_000,
    },
    scaleReads: readScale(options.scaleReads),
  };
}

function readScale(scaleReads: ClusterConnectionOptions['scaleReads']): ClusterSettings['scaleReads'] {
  if (typeof scaleReads !== 'function') return scaleReads ?? 'master';
  // It would be given ioredis instances, and there are none.
  throw mustBe('cluster.options.scaleReads', '"master", "slave" or "all"', 'a function');
}
