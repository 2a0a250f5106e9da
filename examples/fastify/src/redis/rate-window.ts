import { createHash } from 'node:crypto';
import type { RateLimit } from '../settings.js';
import type { Redis } from './scripts.js';

/** What the window of one client says about one more request. */
export interface RateDecision {
  readonly isAllowed: boolean;
  /** Of `RateLimit`, `RateLimit-Policy` and, for a refusal, `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Counts a request in the sliding window of its API key, or of its address when it has no known key. */
export async function takeRequest(
  redis: Redis,
  { limit, windowMs, apiKeys }: RateLimit,
  { address, apiKey }: { readonly address: string; readonly apiKey: string | undefined },
): Promise<RateDecision> {
  const client = apiKey !== undefined && apiKeys.has(apiKey) ? `key:${digest(apiKey)}` : `address:${address}`;
  const [isAllowed, remaining, resetMs] = await redis.takeFromWindow(`rate:${client}`, limit, windowMs);
  const resetSeconds = Math.max(1, Math.ceil(resetMs / 1_000));
  const headers = {
    'ratelimit-policy': `"default";q=${limit};w=${Math.ceil(windowMs / 1_000)}`,
    ratelimit: `"default";r=${remaining};t=${resetSeconds}`,
  };
  if (isAllowed === 1) return { isAllowed: true, headers };
  return { isAllowed: false, headers: { ...headers, 'retry-after': String(resetSeconds) } };
}

/** A key is a secret: names of keys are seen by whoever looks at the server. */
function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
