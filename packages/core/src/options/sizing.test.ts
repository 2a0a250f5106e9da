import { describe, expect, it } from 'vitest';
import { RedisPoolError } from '../errors/errors.js';
import { recommendedConnections } from './sizing.js';

describe('recommendedConnections', () => {
  it.each([
    [0, undefined, 5],
    [1, undefined, 6],
    [1_000, undefined, 6],
    [1_000.5, undefined, 7],
    [2_500, undefined, 8],
    [2_500, 0, 3],
    [12_000, 10, 22],
  ])('for %d requests per second and a buffer of %s is %d', (requestsPerSecond, buffer, connections) => {
    expect(recommendedConnections(requestsPerSecond, buffer)).toBe(connections);
  });

  it.each([
    [-1, 5, 'Argument "requestsPerSecond" must be a finite number from 0, received -1'],
    [Number.NaN, 5, 'Argument "requestsPerSecond" must be a finite number from 0, received NaN'],
    [Infinity, 5, 'Argument "requestsPerSecond" must be a finite number from 0, received Infinity'],
    ['100', 5, 'Argument "requestsPerSecond" must be a finite number from 0, received "100"'],
    [undefined, 5, 'Argument "requestsPerSecond" must be a finite number from 0, received undefined'],
    [100, -1, 'Argument "buffer" must be an integer from 0, received -1'],
    [100, 1.5, 'Argument "buffer" must be an integer from 0, received 1.5'],
    [100, null, 'Argument "buffer" must be an integer from 0, received null'],
  ])('refuses %s with a buffer of %s', (requestsPerSecond, buffer, message) => {
    const call = () => recommendedConnections(requestsPerSecond as number, buffer as number);
    expect(call).toThrow(new RedisPoolError('RP_ERR_INVALID_OPTION', message));
  });
});
