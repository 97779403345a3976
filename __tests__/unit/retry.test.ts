import { describe, expect, it } from '@jest/globals';
import { retryInterval, type RetryPolicy, totalInterval } from '../../src/retry.ts';

function policy(maxRetries: number, intervalStart: number, intervalStep: number, intervalMax: number): RetryPolicy {
  return { maxRetries, intervalStart, intervalStep, intervalMax };
}

describe('the intervals of a policy together', () => {
  it.each([
    policy(20, 0, 1, 1),
    policy(0, 0, 1, 1),
    policy(1, 0, 1, 1),
    policy(7, 0.5, 0.25, 1.6),
    policy(7, 3, 1, 2),
    policy(7, 3, 0, 5),
    policy(7, 0, 0, 0),
    policy(2, 0, 1, 10),
  ])('are the sum of each: %j', (each) => {
    let sum = 0;
    for (let retry = 0; retry < each.maxRetries; retry += 1) sum += retryInterval(each, retry);
    expect(totalInterval(each)).toBeCloseTo(sum, 9);
  });

  it('are summed at once, however many they are', () => {
    expect(totalInterval(policy(Number.MAX_SAFE_INTEGER, 0, 1, 1))).toBe(Number.MAX_SAFE_INTEGER - 1);
    expect(totalInterval(policy(Infinity, 0, 0, 0))).toBe(Infinity);
  });
});
