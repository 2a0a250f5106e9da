import { Module } from '@nestjs/common';
import { JobWorkers } from './job-workers.js';
import { JobsController } from './jobs.controller.js';

@Module({ controllers: [JobsController], providers: [JobWorkers] })
export class JobsModule {}
