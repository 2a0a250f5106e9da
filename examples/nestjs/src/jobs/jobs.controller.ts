import {
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ReqRedis } from '@redis-pool/nestjs';
import type { Response } from 'express';
import { RateLimitGuard } from '../http/rate-limit.guard.js';
import { NamePipe } from '../http/validation.js';
import { addJob, findJob, type Job } from '../redis/jobs.js';
import type { Redis } from '../redis/scripts.js';
import { JobOrderDto } from './job-order.dto.js';

@Controller('jobs')
@UseGuards(RateLimitGuard)
export class JobsController {
  @Post()
  @HttpCode(202)
  async add(
    @ReqRedis() redis: Redis,
    @Body() order: JobOrderDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Job> {
    const job = await addJob(redis, order);
    response.location(`/jobs/${job.id}`);
    return job;
  }

  @Get(':id')
  async find(@ReqRedis() redis: Redis, @Param('id', NamePipe) id: string): Promise<Job> {
    const job = await findJob(redis, id);
    if (job === undefined) throw new NotFoundException({ error: 'No such job' });
    return job;
  }
}
