import { type CanActivate, type ExecutionContext, HttpException, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { takeRequest } from '../redis/rate-window.js';
import type { Redis } from '../redis/scripts.js';
import type { Settings } from '../settings.js';
import { InjectSettings } from '../settings.module.js';

const TOO_MANY_REQUESTS = 429;

/** Limits the requests of each client to the controllers that it guards, all of them together. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  readonly #settings: Settings;

  constructor(@InjectSettings() settings: Settings) {
    this.#settings = settings;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request & { readonly redis: Redis }>();
    const client = { address: request.ip ?? '', apiKey: request.get('x-api-key') };
    const { isAllowed, headers } = await takeRequest(request.redis, this.#settings.rateLimit, client);
    http.getResponse<Response>().set(headers);
    if (isAllowed) return true;
    throw new HttpException({ error: 'Too Many Requests' }, TOO_MANY_REQUESTS);
  }
}
