import { describe, expect, test } from 'vitest';
import { ConnectionBudget } from './connection-budget.js';

describe('ConnectionBudget', () => {
  test('gives out what the lanes leave, and no place more', () => {
    const budget = new ConnectionBudget(3, 1);
    expect(budget.used).toBe(1);
    expect([budget.reserve(), budget.reserve(), budget.reserve()]).toEqual([true, true, false]);
    expect(budget.used).toBe(3);
  });

  test('a place that was given back is given out again', () => {
    const budget = new ConnectionBudget(2, 1);
    expect(budget.reserve()).toBe(true);
    expect(budget.reserve()).toBe(false);
    budget.free();
    expect(budget.used).toBe(1);
    expect(budget.reserve()).toBe(true);
  });

  test('a refused reservation takes nothing', () => {
    const budget = new ConnectionBudget(2, 2);
    expect(budget.reserve()).toBe(false);
    expect(budget.used).toBe(2);
  });
});
