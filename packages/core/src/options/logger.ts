/**
 * A pino-shaped logger: fields first, then the message. pino, Fastify's `app.log` and `console` fit as they are.
 *
 * Methods are called on the object, so that a logger may use `this`. What they throw is not caught: a logger
 * must not throw. The pool never passes a password or a command's arguments.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

function ignore(): void {}

/** The default logger: says nothing. */
export const silentLogger: Logger = Object.freeze({
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
});
