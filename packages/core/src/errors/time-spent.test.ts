import { describe, expect, it } from 'vitest';
import { describeTime, divideTime } from './time-spent.js';

describe('divideTime', () => {
  it('gives everything to what came last when nothing else is known', () => {
    expect(divideTime({ elapsedMs: 5_000.4, last: 'serverMs', blockedMs: 0 })).toEqual({ serverMs: 5_000 });
  });

  it('adds up to the whole', () => {
    const spent = divideTime({ elapsedMs: 5_000, last: 'socketMs', connectionMs: 1_000, blockedMs: 700 });
    expect(spent).toEqual({ connectionMs: 1_000, socketMs: 3_300, blockedMs: 700 });
  });

  it('never gives out more than there was', () => {
    const spent = divideTime({ elapsedMs: 100, last: 'serverMs', connectionMs: 90, blockedMs: 400 });
    expect(spent).toEqual({ serverMs: 0, blockedMs: 100 });
  });
});

describe('describeTime', () => {
  it('names each part in the order in which they come', () => {
    const spent = { blockedMs: 3, serverMs: 4, socketMs: 5, leaseMs: 6, connectionMs: 7 };
    expect(describeTime(spent)).toBe(
      '7 ms waiting for a connection, 6 ms waiting for a lease, 5 ms waiting for the socket to take it, ' +
        '4 ms waiting for the server, 3 ms blocked event loop',
    );
  });
});
