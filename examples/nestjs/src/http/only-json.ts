import { UnsupportedMediaTypeException } from '@nestjs/common';
import type { RequestHandler } from 'express';

/** Refuses bodies of any other type, which the parser would leave out. */
export const onlyJson: RequestHandler = (request, _response, next) => {
  const isOther = request.get('content-type') !== undefined && request.is('json') === false;
  next(isOther ? new UnsupportedMediaTypeException() : undefined);
};
