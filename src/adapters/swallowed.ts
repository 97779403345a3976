/** Failures that nobody awaits: told, but never thrown. */
import { publish, Warnings } from '../diagnostics.ts';

/** A failure that an adapter kept from callers that would not have caught it. */
export interface Swallowed {
  /** `'celery-node'` or `'celery-ts'`. */
  readonly adapter: string;
  /** What failed: `'storeResult'`, `'getTaskMeta'`, `'send'`, ... */
  readonly operation: string;
  readonly taskId: string | undefined;
  readonly error: Error;
}

/** Is told each of them. What it throws is warned of. */
export type SwallowedObserver = (failure: Swallowed) => void;

/**
 * Tells of failures: `onError`, the diagnostics channel `celery-redis-backend:swallowed`, and once a warning
 * (`CELERY_SWALLOWED`).
 */
export class Swallower {
  readonly #adapter: string;
  readonly #onError: SwallowedObserver | undefined;
  readonly #warnings = new Warnings();

  constructor(adapter: string, onError: SwallowedObserver | undefined) {
    this.#adapter = adapter;
    this.#onError = onError;
  }

  tell(operation: string, taskId: string | undefined, reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error(String(reason));
    const failure: Swallowed = { adapter: this.#adapter, operation, taskId, error };
    publish('celery-redis-backend:swallowed', failure);
    this.#warn(operation, error);
    try {
      this.#onError?.(failure);
    } catch (thrown) {
      this.#warn('onError', thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  /** The value of a promise; `fallback` when it rejects, which is told. Never rejects. */
  async settle<T, F>(operation: string, taskId: string | undefined, promise: Promise<T>, fallback: F): Promise<T | F> {
    try {
      return await promise;
    } catch (error) {
      this.tell(operation, taskId, error);
      return fallback;
    }
  }

  #warn(operation: string, error: Error): void {
    this.#warnings.warn(
      'CELERY_SWALLOWED',
      `${this.#adapter} adapter: ${operation} failed: ${error.message} Its callers do not look for failures, so it was ` +
        'not thrown; more of them are told to onError and to the diagnostics channel celery-redis-backend:swallowed only.',
    );
  }
}
