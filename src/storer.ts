/** Stores results in order, again until it has worked or the policy gives up. */
import type { Clock, Timer } from './clock.ts';
import { publish } from './diagnostics.ts';
import { BackendClosedError, BackendStoreError } from './errors.ts';
import type { StoreOutcome } from './ports.ts';
import { isRetryable, retryInterval, type RetryPolicy, totalInterval } from './retry.ts';

/** One store. */
export interface StoreJob {
  /** The task, or the group. */
  readonly taskId: string;
  /** The state that is stored; empty for a group. */
  readonly state: string;
  /** One try. */
  readonly write: () => Promise<StoreOutcome>;
}

/** A pause that `close` can end. */
interface Pause {
  readonly timer: Timer;
  readonly end: () => void;
}

/**
 * Stores of one task leave in the order they came, retries included: a late retry of STARTED never lands on a final
 * state. Tasks do not wait for one another. A store is given up when its retries, or the time they would take and one
 * more try, are used up, counted from its acceptance.
 */
export class Storer {
  readonly #policy: RetryPolicy;
  readonly #clock: Clock;
  /** Milliseconds from acceptance after which no new try is made. */
  readonly #patienceMs: number;
  /** The last store of each task that has any under way. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #pauses = new Set<Pause>();
  #closing = false;
  /** Tries that were not the first. */
  retries = 0;

  constructor(policy: RetryPolicy, commandTimeoutMs: number, clock: Clock) {
    this.#policy = policy;
    this.#clock = clock;
    this.#patienceMs = totalInterval(policy) * 1000 + commandTimeoutMs;
  }

  /** Tasks with stores under way. */
  get pending(): number {
    return this.#tails.size;
  }

  /** @throws BackendStoreError */
  async store(job: StoreJob): Promise<StoreOutcome> {
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
    this.#closing = true;
    for (const pause of this.#pauses) {
      pause.timer.cancel();
      pause.end();
    }
  }

  async #run(job: StoreJob, accepted: number): Promise<StoreOutcome> {
    for (let retry = 0; ; retry += 1) {
      try {
        return await job.write();
      } catch (error) {
        const pauseMs = retryInterval(this.#policy, retry) * 1000;
        const late = this.#clock.now() + pauseMs - accepted > this.#patienceMs;
        if (!isRetryable(error) || retry >= this.#policy.maxRetries || late) throw storeError(job, retry, error);
        await this.#pause(pauseMs);
        if (this.#closing) throw storeError(job, retry, new BackendClosedError());
        this.retries += 1;
        publish('celery-redis-backend:store-retry', { taskId: job.taskId, attempt: retry + 1, error: error as Error });
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pauses.delete(pause);
        resolve();
      };
      const pause: Pause = { timer: this.#clock.after(ms, end), end };
      this.#pauses.add(pause);
    });
  }
}

function storeError({ taskId, state }: StoreJob, retries: number, cause: unknown): BackendStoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const tries = retries > 0 ? ` after ${retries + 1} tries` : '';
  const what = state ? `${state} of task ${taskId}` : `group ${taskId}`;
  return new BackendStoreError(`Could not store ${what}${tries}: ${reason}`, taskId, state, { cause });
}
