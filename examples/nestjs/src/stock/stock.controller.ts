import {
  Body,
  ConflictException,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Put,
  UseGuards,
} from '@nestjs/common';
import { ReqRedis } from '@redis-pool/nestjs';
import { RateLimitGuard } from '../http/rate-limit.guard.js';
import { NamePipe } from '../http/validation.js';
import type { Redis } from '../redis/scripts.js';
import { putStock, readStock, reserve } from '../redis/stock.js';
import { ReservationDto, StockDto } from './quantity.dto.js';

@Controller('stock/:sku')
@UseGuards(RateLimitGuard)
export class StockController {
  @Get()
  async read(@ReqRedis() redis: Redis, @Param('sku', NamePipe) sku: string) {
    const left = await readStock(redis, sku);
    if (left === undefined) throw new NotFoundException({ error: 'No such article' });
    return { left };
  }

  @Put()
  @HttpCode(204)
  async put(
    @ReqRedis() redis: Redis,
    @Param('sku', NamePipe) sku: string,
    @Body() { quantity }: StockDto,
  ): Promise<void> {
    await putStock(redis, sku, quantity);
  }

  @Post('reserve')
  async reserve(
    @ReqRedis() redis: Redis,
    @Param('sku', NamePipe) sku: string,
    @Body() { quantity }: ReservationDto,
  ) {
    const outcome = await reserve(redis, sku, quantity);
    if (outcome.kind === 'unknown') throw new NotFoundException({ error: 'No such article' });
    if (outcome.kind === 'sold-out') throw new ConflictException({ error: 'Sold out', left: outcome.left });
    return { id: outcome.id, left: outcome.left };
  }
}
