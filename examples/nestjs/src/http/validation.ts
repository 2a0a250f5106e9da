import type { ArgumentMetadata } from '@nestjs/common';
import { BadRequestException, Injectable, type PipeTransform, ValidationPipe } from '@nestjs/common';

/** A request that is wrong, with the names of what is. */
export class InvalidRequest extends BadRequestException {
  readonly fields: readonly string[];

  constructor(fields: readonly string[]) {
    super();
    this.fields = fields;
  }
}

/** Holds bodies to their DTO classes: what is not in them is left out. */
export const validation = new ValidationPipe({
  transform: true,
  whitelist: true,
  exceptionFactory: (errors) => new InvalidRequest(errors.map(({ property }) => property).sort()),
});

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Path parameters: short names that cannot reach other keys. */
@Injectable()
export class NamePipe implements PipeTransform<unknown, string> {
  transform(value: unknown, { data = '' }: ArgumentMetadata): string {
    if (typeof value === 'string' && NAME.test(value)) return value;
    throw new InvalidRequest([data]);
  }
}
