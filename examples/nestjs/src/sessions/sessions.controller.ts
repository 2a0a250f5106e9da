import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Post,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { ReqRedis } from '@redis-pool/nestjs';
import type { CookieOptions, Request, Response } from 'express';
import { RateLimitGuard } from '../http/rate-limit.guard.js';
import type { Redis } from '../redis/scripts.js';
import { beginSession, endSession, findSession, SESSION_COOKIE, type Session } from '../redis/sessions.js';
import type { Settings } from '../settings.js';
import { InjectSettings } from '../settings.module.js';
import { SessionDto } from './session.dto.js';

/** A session begins without a password here: put your own check in front of it. */
@Controller('session')
@UseGuards(RateLimitGuard)
export class SessionsController {
  readonly #ttlSeconds: number;
  readonly #cookie: CookieOptions;

  constructor(@InjectSettings() { session: { ttlSeconds, secureCookie } }: Settings) {
    this.#ttlSeconds = ttlSeconds;
    this.#cookie = { httpOnly: true, sameSite: 'lax', secure: secureCookie, path: '/' };
  }

  @Post()
  async begin(
    @ReqRedis() redis: Redis,
    @Body() { name }: SessionDto,
    @Req() { cookies }: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Session> {
    const session = { name, since: new Date().toISOString() };
    const replaces: unknown = cookies[SESSION_COOKIE];
    this.#setCookie(response, await beginSession(redis, session, { ttlSeconds: this.#ttlSeconds, replaces }));
    return session;
  }

  @Get()
  async find(
    @ReqRedis() redis: Redis,
    @Req() { cookies }: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Session> {
    const id: unknown = cookies[SESSION_COOKIE];
    const session = await findSession(redis, id, this.#ttlSeconds);
    if (session === undefined) throw new UnauthorizedException({ error: 'No session' });
    this.#setCookie(response, String(id));
    return session;
  }

  @Delete()
  @HttpCode(204)
  async end(
    @ReqRedis() redis: Redis,
    @Req() { cookies }: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    await endSession(redis, cookies[SESSION_COOKIE]);
    response.clearCookie(SESSION_COOKIE, this.#cookie);
  }

  #setCookie(response: Response, id: string): void {
    response.cookie(SESSION_COOKIE, id, { ...this.#cookie, maxAge: this.#ttlSeconds * 1_000 });
  }
}
