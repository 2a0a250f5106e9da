import type { Redis } from './scripts.js';

export interface User {
  readonly name: string;
  readonly email: string;
}

/** Users, each one a hash `user:<id>`. */
export async function findUser(redis: Redis, id: string): Promise<User | undefined> {
  const { name, email } = await redis.hgetall(`user:${id}`);
  return name === undefined || email === undefined ? undefined : { name, email };
}

export async function putUser(redis: Redis, id: string, { name, email }: User): Promise<void> {
  await redis.hset(`user:${id}`, { name, email });
}
