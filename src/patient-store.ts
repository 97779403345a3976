/** Reads that do not give up, for `alwaysRetry`. */
import type { Clock } from './clock.ts';
import { BackendClosedError } from './errors.ts';
import { Pauses } from './pauses.ts';
import type { KeyStore } from './ports.ts';
import { type AlwaysRetry, isRetryable, jitteredInterval } from './retry.ts';

/**
 * A store whose reads and removals are tried again when they fail for want of Redis. `close` ends those under way with
 * BackendClosedError.
 *
 * open -> closed
 *
 * @see celery.backends.base.Backend.get_task_meta, with `result_backend_always_retry`
 */
export class PatientStore implements KeyStore {
  readonly #store: KeyStore;
  readonly #policy: AlwaysRetry;
  readonly #pauses: Pauses;

  constructor(store: KeyStore, policy: AlwaysRetry, clock: Clock) {
    this.#store = store;
    this.#policy = policy;
    this.#pauses = new Pauses(clock);
  }

  read(key: string): Promise<Uint8Array | null> {
    return this.#again(() => this.#store.read(key));
  }

  readMany(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    return this.#again(() => this.#store.readMany(keys));
  }

  remove(key: string): Promise<void> {
    return this.#again(() => this.#store.remove(key));
  }

  close(): void {
    this.#pauses.close();
  }

  async #again<T>(call: () => Promise<T>): Promise<T> {
    for (let retry = 1; ; retry += 1) {
      try {
        return await call();
      } catch (error) {
        if (!isRetryable(error) || retry > this.#policy.maxRetries) throw error;
        if (!(await this.#pauses.wait(jitteredInterval(this.#policy, retry) * 1000))) throw new BackendClosedError();
      }
    }
  }
}
