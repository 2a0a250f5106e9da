import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
// biome-ignore lint/style/useImportType: what a constructor asks for is found by its class
import { RedisPool, RequestRedis } from '@redis-pool/core';
import { RedisPoolModule, ReqRedis } from '@redis-pool/nestjs';

@Controller()
class Ping {
  constructor(private readonly pool: RedisPool) {}

  @Get()
  async ping(@ReqRedis() redis: RequestRedis): Promise<string> {
    return `${await redis.ping()} ${await this.pool.ping()}`;
  }
}

@Module({
  imports: [RedisPoolModule.forRootAsync({ useFactory: () => ({ startup: 'optional' }) })],
  controllers: [Ping],
})
class App {}

async function main(): Promise<void> {
  const app = await NestFactory.create(App, { logger: ['warn', 'error'] });
  await app.listen(0, '127.0.0.1');
  const answer = await fetch(await app.getUrl(), { headers: { connection: 'close' } });
  const body = await answer.text();
  if (body !== 'PONG PONG') throw new Error(`Answered ${body}`);
  await app.close();
}

void main();
