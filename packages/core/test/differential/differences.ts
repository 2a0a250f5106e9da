import type { RedisOptions } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { isRedisPoolError } from '../../src/index.js';
import type { RedisConnectionOptions } from '../../src/options/options.js';
import { type Client, LINKS, type Link, untyped } from './peers.js';
import type { Testbed } from './testbed.js';

/** Where the pool answers differently from ioredis 6.0.0, and why that is right. */
export interface Difference {
  readonly title: string;
  /** The end of the sentence that the title begins, after "because". */
  readonly reason: string;
  readonly options?: RedisConnectionOptions;
  readonly run: (client: Client) => unknown;
  readonly ioredis: unknown;
  readonly pool: unknown;
  /** Where the public link, whose replies ioredis decodes, does not differ. */
  readonly poolOverPublicLink?: unknown;
}

/** Shows each difference, on fresh clients and an empty keyspace, so that none outlives its reason unseen. */
export function describeDifferences(testbed: Testbed, differences: readonly Difference[]): void {
  describe('differs from ioredis on purpose:', () => {
    test.each(differences.map((one) => [one.title, one.reason, one] as const))(
      '%s, because %s',
      async (_title, _reason, difference) => {
        const { options = {}, run } = difference;
        const ioredis = untyped(await testbed.ioredis(options as RedisOptions));
        expect(await run(ioredis)).toEqual(difference.ioredis);
        for (const link of LINKS) {
          await testbed.server.adminCommand('FLUSHALL');
          const pool = untyped(await testbed.pool(link, options));
          expect(await run(pool)).toEqual(expectedOf(difference, link));
        }
        await testbed.server.adminCommand('FLUSHALL');
      },
    );
  });
}

function expectedOf(difference: Difference, link: Link): unknown {
  return link === 'public' && 'poolOverPublicLink' in difference
    ? difference.poolOverPublicLink
    : difference.pool;
}

/** What `view` makes of the error; the value where there is none. */
export async function failureOf(
  run: () => unknown,
  view: (error: Error & { command?: object }) => unknown = outline,
): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    return view(error as Error);
  }
}

function outline(error: Error): string {
  return isRedisPoolError(error) ? error.code : `${error.name}: ${error.message}`;
}
