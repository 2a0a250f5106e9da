import { STATUS_CODES } from 'node:http';
import express, { type RequestHandler } from 'express';

const LIMIT = '16kb';

/** Refuses bodies of any other type, which the parser would leave out. */
const onlyJson: RequestHandler = (request, response, next) => {
  if (request.get('content-type') === undefined || request.is('json') !== false) next();
  else response.status(415).json({ error: STATUS_CODES[415] });
};

export const jsonBody: readonly RequestHandler[] = [onlyJson, express.json({ limit: LIMIT })];
