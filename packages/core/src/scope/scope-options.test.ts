import { describe, expect, test } from 'vitest';
import { checkScopeOptions } from './scope-options.js';

const LONGEST_MS = 2_147_483_647;
const DURATION = `must be a whole number of milliseconds from 1 to ${LONGEST_MS}`;
const ON_HANG_UP = 'must be "finish" or "abort"';

describe('options of a scope', () => {
  test('may all be left out, or undefined', () => {
    checkScopeOptions({});
    checkScopeOptions({
      signal: undefined,
      timeoutMs: undefined,
      onHangUp: undefined,
      forgottenLeaseMs: undefined,
    });
  });

  test.each([
    { timeoutMs: 1, forgottenLeaseMs: 1, onHangUp: 'finish' as const },
    { timeoutMs: LONGEST_MS, forgottenLeaseMs: LONGEST_MS, onHangUp: 'abort' as const },
    { signal: AbortSignal.abort(), timed: true, label: 'GET /' },
    { timed: false, label: () => 'GET /' },
  ])('are taken up to their limits: %o', (options) => {
    checkScopeOptions(options);
  });

  test.each([
    ['timeoutMs', 0, `${DURATION}, received 0`],
    ['timeoutMs', 0.5, `${DURATION}, received 0.5`],
    ['timeoutMs', LONGEST_MS + 1, `${DURATION}, received 2147483648`],
    ['timeoutMs', Number.NaN, `${DURATION}, received NaN`],
    ['timeoutMs', '10', `${DURATION}, received "10"`],
    ['timeoutMs', null, `${DURATION}, received null`],
    ['timeoutMs', 10n, `${DURATION}, received 10n`],
    ['forgottenLeaseMs', 0, `${DURATION}, received 0`],
    ['forgottenLeaseMs', Number.POSITIVE_INFINITY, `${DURATION}, received Infinity`],
    ['onHangUp', 'ignore', `${ON_HANG_UP}, received "ignore"`],
    ['onHangUp', null, `${ON_HANG_UP}, received null`],
    ['onHangUp', Symbol('finish'), `${ON_HANG_UP}, received Symbol(finish)`],
    ['onHangUp', Object.create(null), `${ON_HANG_UP}, received an object`],
    ['signal', {}, 'must be an AbortSignal, received an object'],
    ['signal', null, 'must be an AbortSignal, received null'],
    ['label', 5, 'must be a string or a function, received a number'],
    ['timed', 1, 'must be true or false, received 1'],
  ])('name the option, its rule and what was received: %s %o', (name, value, message) => {
    expect(() => checkScopeOptions({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION', message: `Option "${name}" ${message}` }),
    );
  });
});
