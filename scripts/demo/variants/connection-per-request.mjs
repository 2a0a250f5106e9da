import { Redis } from 'ioredis';

/** A new connection for each request, closed when the request has what it wanted. */
export async function connectionPerRequest(_app, { url }) {
  return async (_request, work) => {
    const redis = new Redis(url);
    redis.on('error', () => {});
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };
}
