/** Stores results in order, again until it has worked or the policy gives up. */
import type { Clock, Timer } from './clock.ts';
import { publish } from './diagnostics.ts';
import { BackendClosedError, BackendStoreError } from './errors.ts';
import { Pauses } from './pauses.ts';
import type { StoreOutcome } from './ports.ts';
import {
  type AlwaysRetry,
  isRetryable,
  jitteredInterval,
  retryInterval,
  type RetryPolicy,
  totalInterval,
} from './retry.ts';

/** One store, or another write that is tried again like one. */
export interface StoreJob<T = StoreOutcome> {
  /** The task, or the group. */
  readonly taskId: string;
  /** The state that is stored; empty for a group. */
  readonly state: string;
  /** One try. */
  readonly write: () => Promise<T>;
  /** What failed, for messages: `'store SUCCESS of task 1'`. @default that */
  readonly what?: string;
}

/** How a {@link Storer} tries. */
export interface StorerOptions {
  readonly policy: RetryPolicy;
  /** How it goes on when the policy is used up; false = not at all. */
  readonly alwaysRetry: AlwaysRetry | false;
  /** Milliseconds of one try. */
  readonly commandTimeoutMs: number;
}

/**
 * Stores of one task leave in the order they came, retries included: a late retry of STARTED never lands on a final
 * state. Tasks do not wait for one another. A store is given up when its retries, or the time they would take and one
 * more try, are used up, counted from its acceptance; with `alwaysRetry` it goes on from there, at its pace.
 */
export class Storer {
  readonly #options: StorerOptions;
  readonly #clock: Clock;
  /** Milliseconds from acceptance after which no new try is made. */
  readonly #patienceMs: number;
  /** The last store of each task that has any under way. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #pauses: Pauses;
  /** Tries that were not the first. */
  retries = 0;

  constructor(options: StorerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#pauses = new Pauses(clock);
    this.#patienceMs = totalInterval(options.policy) * 1000 + options.commandTimeoutMs;
  }

  /** Tasks with stores under way. */
  get pending(): number {
    return this.#tails.size;
  }

  /** @throws BackendStoreError */
  async store<T = StoreOutcome>(job: StoreJob<T>): Promise<T> {
    const { taskId } = job;
    const before = this.#tails.get(taskId);
    const accepted = this.#clock.now();
    const outcome = before ? before.then(() => this.#run(job, accepted)) : this.#run(job, accepted);
    const tail = outcome.catch(() => undefined);
    this.#tails.set(taskId, tail);
    try {
      return await outcome;
    } finally {
      if (this.#tails.get(taskId) === tail) this.#tails.delete(taskId);
    }
  }

  /** Gives the stores under way `limitMs` to end; after that they fail at their next pause. */
  async close(limitMs: number): Promise<void> {
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.#clock.after(limitMs, resolve);
    });
    await Promise.race([Promise.all(this.#tails.values()), limit]);
    timer?.cancel();
    this.#pauses.close();
  }

  async #run<T>(job: StoreJob<T>, accepted: number): Promise<T> {
    const { alwaysRetry } = this.#options;
    // Retries beyond the policy.
    let beyond = 0;
    for (let retry = 0; ; retry += 1) {
      try {
        return await job.write();
      } catch (error) {
        let pause = this.#pauseBefore(retry, accepted);
        if (pause === undefined && alwaysRetry && beyond < alwaysRetry.maxRetries) {
          beyond += 1;
          pause = jitteredInterval(alwaysRetry, beyond) * 1000;
        }
        if (!isRetryable(error) || pause === undefined) throw storeError(job, retry, error);
        if (!(await this.#pauses.wait(pause))) throw storeError(job, retry, new BackendClosedError());
        this.retries += 1;
        publish('celery-redis-backend:store-retry', { taskId: job.taskId, attempt: retry + 1, error: error as Error });
      }
    }
  }

  /** Milliseconds before retry number `retry`, from 0; undefined when the policy has no more, or no time. */
  #pauseBefore(retry: number, accepted: number): number | undefined {
    const { policy } = this.#options;
    const pause = retryInterval(policy, retry) * 1000;
    const late = this.#clock.now() + pause - accepted > this.#patienceMs;
    return retry >= policy.maxRetries || late ? undefined : pause;
  }
}

function storeError({ taskId, state, what }: StoreJob<unknown>, retries: number, cause: unknown): BackendStoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const tries = retries > 0 ? ` after ${retries + 1} tries` : '';
  const failed = what ?? `store ${state ? `${state} of task` : 'group'} ${taskId}`;
  return new BackendStoreError(`Could not ${failed}${tries}: ${reason}`, taskId, state, { cause });
}
