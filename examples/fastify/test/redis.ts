import { type RedisServer, startRedis } from '@redis-pool/testkit';

// The one file of the tests that knows where they get a server from. In your own project, replace it by what you
// start servers with.

/** A Redis of the tests' own, that can be taken away. */
export type TestRedis = Pick<RedisServer, 'url' | 'kill' | 'restart' | 'clients' | 'stop'>;

export function startTestRedis(): Promise<TestRedis> {
  return startRedis();
}
