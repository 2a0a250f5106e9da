import { Body, Controller, Get, HttpCode, NotFoundException, Param, Put, UseGuards } from '@nestjs/common';
import { ReqRedis } from '@redis-pool/nestjs';
import { RateLimitGuard } from '../http/rate-limit.guard.js';
import { NamePipe } from '../http/validation.js';
import type { Redis } from '../redis/scripts.js';
import { findUser, putUser, type User } from '../redis/users.js';
import { UserDto } from './user.dto.js';

@Controller('user')
@UseGuards(RateLimitGuard)
export class UsersController {
  @Get(':id')
  async find(@ReqRedis() redis: Redis, @Param('id', NamePipe) id: string): Promise<User> {
    const user = await findUser(redis, id);
    if (user === undefined) throw new NotFoundException({ error: 'No such user' });
    return user;
  }

  @Put(':id')
  @HttpCode(204)
  async put(
    @ReqRedis() redis: Redis,
    @Param('id', NamePipe) id: string,
    @Body() user: UserDto,
  ): Promise<void> {
    await putUser(redis, id, user);
  }
}
