import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { StateController } from './state.controller.js';

@Module({ controllers: [HealthController, StateController] })
export class StatusModule {}
