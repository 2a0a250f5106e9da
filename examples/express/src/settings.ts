/** What differs between one place where the application runs and another. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** Options of the pool. */
  readonly redis: {
    readonly url: string;
    readonly commandTimeoutMs: number;
    readonly closeTimeoutMs: number;
  };
  readonly rateLimit: RateLimit;
  readonly session: { readonly ttlSeconds: number; readonly secureCookie: boolean };
  readonly jobs: JobSettings;
  readonly feed: { readonly heartbeatMs: number };
  /** Addresses of the proxies whose `X-Forwarded-For` is believed, separated by commas. */
  readonly trustProxy: string | undefined;
  readonly logs: boolean;
}

/** So many requests in any `windowMs`, for each client or each of the known API keys. */
export interface RateLimit {
  readonly limit: number;
  readonly windowMs: number;
  readonly apiKeys: ReadonlySet<string>;
}

export interface JobSettings {
  /** Jobs that this process works on at once. 0: none, others do. */
  readonly workers: number;
  /** How long nothing may be heard of a job's worker before another one takes the job over. */
  readonly claimMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Error naming the variable that is wrong */
export function readSettings(env: Environment = process.env): Settings {
  const number = (name: string, otherwise: number, min = 1): number => readNumber(env, name, otherwise, min);
  return {
    host: env.HOST ?? '127.0.0.1',
    port: number('PORT', 3_000, 0),
    redis: {
      url: env.REDIS_URL ?? 'redis://127.0.0.1:6379',
      commandTimeoutMs: number('COMMAND_TIMEOUT_MS', 5_000),
      closeTimeoutMs: number('CLOSE_TIMEOUT_MS', 10_000),
    },
    rateLimit: {
      limit: number('RATE_LIMIT', 100),
      windowMs: number('RATE_WINDOW_MS', 10_000),
      apiKeys: new Set((env.API_KEYS ?? '').split(',').filter((key) => key !== '')),
    },
    session: { ttlSeconds: number('SESSION_TTL_SECONDS', 3_600), secureCookie: env.SECURE_COOKIE === 'true' },
    jobs: { workers: number('WORKERS', 1, 0), claimMs: number('JOB_CLAIM_MS', 15_000) },
    feed: { heartbeatMs: number('HEARTBEAT_MS', 15_000) },
    trustProxy: env.TRUST_PROXY || undefined,
    logs: env.LOGS !== 'off',
  };
}

function readNumber(env: Environment, name: string, otherwise: number, min: number): number {
  const value = env[name];
  if (value === undefined || value === '') return otherwise;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= min) return number;
  throw new Error(`${name} must be a whole number from ${min}, received "${value}"`);
}
