/**
 * Celery's back-off for writes.
 *
 * @see kombu.utils.functional.retry_over_time
 */
import { BackendError } from './errors.ts';

/** How often and how soon a failed store is tried again. */
export interface RetryPolicy {
  /** Infinity = for ever. @default 20 */
  readonly maxRetries: number;
  /** Seconds before the first retry. @default 0 */
  readonly intervalStart: number;
  /** Seconds added for each further retry. @default 1 */
  readonly intervalStep: number;
  /** Seconds at the most. @default 1 */
  readonly intervalMax: number;
}

/**
 * How reads, and stores beyond their policy, are tried again: after a random part of a time that doubles.
 *
 * @see celery.utils.time.get_exponential_backoff_interval
 */
export interface AlwaysRetry {
  /** Seconds, the first retry waits up to twice that. @default 0.01 */
  readonly baseSleep: number;
  /** Seconds at the most. @default 10 */
  readonly maxSleep: number;
  /** @default Infinity, for ever */
  readonly maxRetries: number;
}

/** Seconds before retry number `retry`, which counts from 1. */
export function jitteredInterval({ baseSleep, maxSleep }: AlwaysRetry, retry: number): number {
  // A power beyond that would make an infinite number of times 0.
  return Math.random() * Math.min(maxSleep, baseSleep * 2 ** Math.min(retry, 100));
}

/** Seconds before retry number `retry`, which counts from 0. */
export function retryInterval(policy: RetryPolicy, retry: number): number {
  return Math.min(policy.intervalStart + retry * policy.intervalStep, policy.intervalMax);
}

/** Seconds that all intervals of a policy make together. */
export function totalInterval(policy: RetryPolicy): number {
  const { maxRetries, intervalStart, intervalStep, intervalMax } = policy;
  if (maxRetries === Infinity) return Infinity;
  // Those below the greatest interval grow evenly, the others are the greatest.
  const untilMax = intervalStart < intervalMax ? Math.ceil((intervalMax - intervalStart) / intervalStep) : 0;
  const growing = Math.min(maxRetries, untilMax);
  return growing * intervalStart + (growing * (growing - 1) * intervalStep) / 2 + (maxRetries - growing) * intervalMax;
}

/** Replies of Redis that may be different a moment later. */
export const PASSING_REPLIES: ReadonlySet<string> = new Set([
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'NOREPLICAS',
  'OOM',
  'READONLY',
  'TRYAGAIN',
  'UNKILLABLE',
]);

/**
 * Whether the same call may succeed when it is made again: Redis was out of reach, or answered with an error that
 * passes (`LOADING`, `READONLY`, `OOM` ...).
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof BackendError)) return false;
  return error.code === 'CELERY_BACKEND_UNAVAILABLE' || (error.reply !== undefined && PASSING_REPLIES.has(error.reply));
}
