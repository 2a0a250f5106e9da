import { describe, expect, test } from 'vitest';
import { isClosed, isHungUp, type ResponseLike } from './exchange.js';

const once = (): void => {};
const OPEN: ResponseLike = { writableEnded: false, writableFinished: false, destroyed: false, once };
const STREAM = { destroyed: false, aborted: false, rstCode: 0 };

describe('a response can take nothing more', () => {
  test.each([
    ['open', OPEN, false],
    ['ended, not sent yet', { ...OPEN, writableEnded: true }, true],
    ['destroyed with its socket', { ...OPEN, destroyed: true }, true],
    ['HTTP/2, open', { writableEnded: false, stream: STREAM, once }, false],
    [
      'HTTP/2, its stream is gone',
      { writableEnded: false, stream: { ...STREAM, destroyed: true }, once },
      true,
    ],
  ])('%s', (_, response: ResponseLike, closed) => {
    expect(isClosed(response)).toBe(closed);
  });
});

describe('of a closed response, the client left before all of it was on its way', () => {
  test.each([
    ['all of it was', { ...OPEN, writableEnded: true, writableFinished: true }, false],
    ['it was ended, and not all of it went out', { ...OPEN, writableEnded: true }, true],
    ['it was never ended', OPEN, true],
    ['HTTP/2: all of it was', { writableEnded: true, stream: STREAM, once }, false],
    [
      'HTTP/2: it was reset before its end',
      { writableEnded: true, stream: { ...STREAM, aborted: true }, once },
      true,
    ],
    [
      'HTTP/2: it was reset behind its end',
      { writableEnded: true, stream: { ...STREAM, rstCode: 8 }, once },
      true,
    ],
  ])('%s', (_, response: ResponseLike, hungUp) => {
    expect(isHungUp(response)).toBe(hungUp);
  });
});
