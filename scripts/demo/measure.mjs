import { Child } from './child.mjs';

const SAMPLE_EVERY_MS = 100;

/**
 * Starts one variant, puts it under load, and stops it again.
 *
 * `opened` is how many connections Redis has accepted meanwhile, `held` how many of them it had at once.
 */
export async function measure(context, redis, { variant, load, onProgress }) {
  const receivedBefore = await redis.connectionsReceived();
  const clients = new ClientSampler(redis, await redis.clientIds());
  const app = new Child(context, './variant-app.mjs');
  const { url } = await app.ask({ variant: variant.id, url: redis.url, prefix: redis.prefix });
  const generator = new Child(context, './load.mjs');
  clients.start();
  const result = await generator.ask({ ...load, url, maxRequests: variant.maxRequests }, onProgress);
  const held = await clients.stop();
  await Promise.all([generator.stop(), app.stop()]);
  return { ...result, held, opened: (await redis.connectionsReceived()) - receivedBefore };
}

class ClientSampler {
  #redis;
  #others;
  #most = 0;
  #timer;
  #pending = Promise.resolve();

  constructor(redis, others) {
    this.#redis = redis;
    this.#others = new Set(others);
  }

  start() {
    this.#timer = setInterval(() => {
      this.#pending = this.#sample();
      // stop() tells.
      this.#pending.catch(() => {});
    }, SAMPLE_EVERY_MS);
  }

  async stop() {
    clearInterval(this.#timer);
    await this.#pending;
    return this.#most;
  }

  async #sample() {
    const ids = await this.#redis.clientIds();
    this.#most = Math.max(this.#most, ids.filter((id) => !this.#others.has(id)).length);
  }
}
