import {
  type AdapterHarness,
  adapterContract,
  type ContractRoute,
  type ContractSetup,
} from '@redis-pool/testkit/adapter-contract';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type RedisPoolPluginOptions, redisPool } from '../src/index.js';

const harness: AdapterHarness = { name: 'fastify 5', mainPoolFirst: true, start };

adapterContract(harness);

async function start({ pools, routes, log = () => {} }: ContractSetup) {
  const app: FastifyInstance = fastify({ logger: { level: 'info', stream: { write: log } } });
  try {
    for (const options of pools) await app.register(redisPool, options as RedisPoolPluginOptions);
    for (const { path, handle } of routes) app.get(path, handlerOf(handle));
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    return { url, server: app.server, pool: (name?: string) => poolOf(app, name), close: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
}

function handlerOf(handle: ContractRoute['handle']) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const value = await handle({
      get redis() {
        return request.redis;
      },
      query: request.query as Record<string, string>,
      request,
      response: reply.raw,
    });
    if (reply.raw.headersSent) return reply.hijack();
    return reply.type('application/json').send(JSON.stringify(value ?? null));
  };
}

function poolOf({ redis }: FastifyInstance, namespace: string | undefined): unknown {
  return namespace === undefined ? redis : Reflect.get(redis, namespace);
}
