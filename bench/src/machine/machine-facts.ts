import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

/** What the figures of one file have in common; figures of different machines are not mixed. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly redisServer: string;
  /** Exact versions of the libraries measured. */
  readonly libraries: Readonly<Record<string, string>>;
}

const LIBRARIES = [
  'ioredis',
  'iovalkey',
  'redis',
  '@valkey/valkey-glide',
  'generic-pool',
  'fastify',
  '@fastify/redis',
] as const;

export function machineFacts(redisServer: string): MachineFacts {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    redisServer,
    libraries: libraryVersions(),
  };
}

/** The commit that was measured, with `-dirty` when the work tree differs from it. */
export function currentCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

// The benchmark depends on exact versions, so that its manifest has them.
function libraryVersions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.fromEntries(LIBRARIES.map((name) => [name, manifest.dependencies[name] ?? 'unknown']));
}
