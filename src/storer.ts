/** Stores results in order, again until it has worked or the policy gives up. */
import { Backlog } from './backlog.ts';
import type { Clock, Timer } from './clock.ts';
import { watched, type Warnings } from './diagnostics.ts';
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
import { publishing, storeEvents } from './store-events.ts';
import { nameOf, type StoreJob } from './store-job.ts';

/** How a {@link Storer} tries. */
export interface StorerOptions {
  readonly policy: RetryPolicy;
  /** How it goes on when the policy is used up; false = not at all. */
  readonly alwaysRetry: AlwaysRetry | false;
  /** Milliseconds of one try; a second more for each MiB. */
  readonly commandTimeoutMs: number;
  /** The most calls that may be accepted and not settled, and the most bytes of their payloads. */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

const MIB = 2 ** 20;
/**
 * Milliseconds before a retry of what has a MiB or more, at least. Redis hangs up on a value that is too large for it, and
 * with it fails whatever is under way: that goes again first, and has its answer before the link breaks once more.
 */
const LARGE_PAUSE_MS = 500;
/** How many of the lost stores a warning names. */
const MAX_NAMED = 5;

/**
 * Stores of one task leave in the order they came, retries included: a late retry of STARTED never lands on a final
 * state. Tasks do not wait for one another. A store is given up when its retries, or the time they would take and one
 * more try, are used up, counted from its acceptance; with `alwaysRetry` it goes on from there, at its pace. What would
 * be more than may be pending is not accepted.
 */
export class Storer {
  readonly #options: StorerOptions;
  readonly #clock: Clock;
  readonly #warnings: Pick<Warnings, 'warn'>;
  /** Milliseconds from acceptance after which no new try is made, where nothing large is on the way. */
  readonly #patienceMs: number;
  /** The last store of each task that has any under way. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #backlog: Backlog;
  readonly #pauses: Pauses;
  /** What `close` ended. */
  readonly #lost: string[] = [];
  /** Tries that were not the first. */
  retries = 0;

  constructor(options: StorerOptions, clock: Clock, warnings: Pick<Warnings, 'warn'>) {
    this.#options = options;
    this.#clock = clock;
    this.#warnings = warnings;
    this.#backlog = new Backlog({ maxCalls: options.maxPending, maxBytes: options.maxPendingBytes });
    this.#pauses = new Pauses(clock);
    this.#patienceMs = totalInterval(options.policy) * 1000 + options.commandTimeoutMs;
  }

  /** Calls that are not settled. */
  get pending(): number {
    return this.#backlog.calls;
  }

  /** Milliseconds that a store without a payload may take, all its tries included; Infinity = until `close`. */
  get patienceMs(): number {
    return this.#options.alwaysRetry ? Infinity : this.#patienceMs;
  }

  /** Payload bytes of these. */
  get pendingBytes(): number {
    return this.#backlog.bytes;
  }

  /** Stores, and says so on the diagnostics channel. @throws BackendStoreError */
  store(job: StoreJob): Promise<StoreOutcome> {
    return storeEvents.hasSubscribers ? publishing(job, this.#clock, (each) => this.run(each)) : this.run(job);
  }

  /** The same for what is no store, but has its place among those of a task. @throws BackendStoreError */
  async run<T>(job: StoreJob<T>): Promise<T> {
    const { taskId, bytes } = job;
    this.#admit(job);
    const before = this.#tails.get(taskId);
    // A try may take a second more for each MiB that is on the way, whosever it is.
    const untilMs = this.#clock.now() + this.#patienceMs + (this.#backlog.bytes / MIB) * 1000;
    const begin = (): Promise<T> => this.#run(job, untilMs);
    const outcome = before ? before.then(begin, begin) : begin();
    this.#tails.set(taskId, outcome);
    try {
      return await outcome;
    } finally {
      this.#backlog.remove(bytes);
      if (this.#tails.get(taskId) === outcome) this.#tails.delete(taskId);
    }
  }

  /**
   * Gives the stores under way `limitMs` to end. After that they fail at their next pause, or by what `shut` does, which
   * closes the driver. Resolves when all are settled, and warns of those that were ended so.
   */
  async close(limitMs: number, shut: () => Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.#clock.after(limitMs, resolve);
    });
    await Promise.race([this.#settled(), limit]);
    timer?.cancel();
    this.#pauses.close();
    await shut();
    await this.#settled();
    this.#warnOfLost();
  }

  async #settled(): Promise<void> {
    while (this.#tails.size > 0) await Promise.allSettled(this.#tails.values());
  }

  #admit(job: StoreJob<unknown>): void {
    const refusal = this.#backlog.refusal(job.bytes);
    if (refusal === undefined) {
      this.#backlog.add(job.bytes);
      return;
    }
    const message = `Could not ${nameOf(job)}: ${refusal}. Wait for stores to end before you begin others.`;
    throw new BackendStoreError(message, job.taskId, job.state, { code: 'CELERY_STORE_OVERLOADED' });
  }

  #warnOfLost(): void {
    const { length } = this.#lost;
    if (length === 0) return;
    const named = this.#lost.slice(0, MAX_NAMED).join(', ');
    const more = length > MAX_NAMED ? `, and ${length - MAX_NAMED} more` : '';
    this.#warnings.warn(
      'CELERY_STORES_LOST',
      `The backend was closed before it could ${named}${more} (${length} in all).`,
    );
  }

  async #run<T>(job: StoreJob<T>, untilMs: number): Promise<T> {
    const { alwaysRetry } = this.#options;
    // Retries beyond the policy.
    let beyond = 0;
    for (let retry = 0; ; retry += 1) {
      try {
        return await job.write();
      } catch (error) {
        let pause = this.#pauseBefore(retry, untilMs, job.bytes);
        if (pause === undefined && alwaysRetry && beyond < alwaysRetry.maxRetries) {
          beyond += 1;
          pause = Math.max(jitteredInterval(alwaysRetry, beyond) * 1000, leastPause(job.bytes));
        }
        if (!isRetryable(error) || pause === undefined) throw this.failure(job, retry, error);
        if (!(await this.#pauses.wait(pause))) throw this.failure(job, retry, new BackendClosedError());
        this.retries += 1;
        watched('celery-redis-backend:store-retry')?.publish({
          taskId: job.taskId,
          attempt: retry + 1,
          error: error as Error,
        });
      }
    }
  }

  /** Milliseconds before retry number `retry`, from 0; undefined when the policy has no more, or no time. */
  #pauseBefore(retry: number, untilMs: number, bytes: number): number | undefined {
    const { policy } = this.#options;
    const pause = Math.max(retryInterval(policy, retry) * 1000, leastPause(bytes));
    const late = this.#clock.now() + pause > untilMs;
    return retry >= policy.maxRetries || late ? undefined : pause;
  }

  /** The error of a store, which `close` warns of if it is what ended it. */
  failure(job: Pick<StoreJob, 'taskId' | 'state' | 'what'>, retries: number, cause: unknown): BackendStoreError {
    const what = nameOf(job);
    if (cause instanceof BackendClosedError) this.#lost.push(what);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const tries = retries > 0 ? ` after ${retries + 1} tries` : '';
    return new BackendStoreError(`Could not ${what}${tries}: ${reason}`, job.taskId, job.state, { cause });
  }
}

function leastPause(bytes: number): number {
  return bytes < MIB ? 0 : LARGE_PAUSE_MS;
}
