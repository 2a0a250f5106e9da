import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseOptions } from '../options/parse-options.js';
import { ConnectionLog } from './connection-log.js';
import { DialError } from './dial.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function recorded() {
  const lines: string[] = [];
  const note =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push(`${level}: ${message}`);
  const logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  return { lines, log: new ConnectionLog(parseOptions({ url: 'redis://h:1', logger })) };
}

const refused = new DialError('RP_ERR_CONNECT', 'Refused', undefined, false);

test('a connection is told of once, however many follow', () => {
  const { lines, log } = recorded();
  for (const role of ['lane', 'lane', 'lease', 'subscriber', 'lease'] as const) log.connected(role);
  expect(lines).toEqual(['info: Redis pool "default" is connected to h:1']);
});

test('an outage of ten minutes is told of when it begins, three times meanwhile, and when it ends', () => {
  const { lines, log } = recorded();
  log.connected('lane');
  for (const role of ['lane', 'subscriber', 'lease'] as const) log.lost(role, new Error('reset'));
  const linesAt: number[] = [];
  for (let second = 0; second < 600; second += 1) {
    log.failed(second % 3 === 0 ? 'subscriber' : 'lane', refused, 5_000);
    linesAt[second] = lines.length;
    vi.advanceTimersByTime(1_000);
  }
  log.connected('lane');
  log.connected('subscriber');
  expect(lines).toEqual([
    'info: Redis pool "default" is connected to h:1',
    'warn: Redis pool "default" lost its connection to h:1',
    'warn: Refused',
    'warn: Redis pool "default" still has no connection to h:1 after 30000 ms and 31 failed attempts: Refused',
    'warn: Redis pool "default" still has no connection to h:1 after 120000 ms and 121 failed attempts: Refused',
    'warn: Redis pool "default" still has no connection to h:1 after 480000 ms and 481 failed attempts: Refused',
    'info: Redis pool "default" is connected to h:1 again after 600000 ms and 600 failed attempts',
  ]);
  // The end of it would be one more.
  expect(linesAt[59]).toBeLessThanOrEqual(5);
});

test('a server that loads, falls silent and loads again is told of once', () => {
  const { lines, log } = recorded();
  const loading = new DialError('RP_ERR_CONNECT', 'Loading', undefined, false);
  for (let round = 0; round < 5; round += 1) {
    log.loading('lane', loading);
    log.failed('lane', refused, 5_000);
  }
  expect(lines).toEqual([
    'info: Redis pool "default" has reached h:1, which loads its data, and waits for it',
    'warn: Refused',
  ]);
});

test('a server that was never there is one warning at first, and its arrival is told', () => {
  const { lines, log } = recorded();
  for (let count = 0; count < 5; count += 1) log.failed('lane', refused, 5_000);
  log.connected('lane');
  expect(lines).toEqual([
    'warn: Refused',
    'info: Redis pool "default" is connected to h:1 after 0 ms and 5 failed attempts',
  ]);
});

test('a lease that is lost is nothing to tell, one that cannot be made is', () => {
  const { lines, log } = recorded();
  log.connected('lane');
  log.lost('lease', new Error('killed'));
  expect(lines).toHaveLength(1);
  log.failed('lease', refused, 5_000);
  expect(lines).toHaveLength(2);
});
