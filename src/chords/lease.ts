/** The signs of life of one who completes a chord. */
import type { Clock, Timer } from '../clock.ts';
import { BackendClosedError } from '../errors.ts';
import type { ChordClaim, ChordStore } from '../ports.ts';

/**
 * Renews a claim three times a lease, until it is stopped or lost.
 *
 * held -> lost | stopped
 */
export class Lease {
  readonly #store: ChordStore;
  readonly #claim: ChordClaim;
  readonly #clock: Clock;
  #state: 'held' | 'lost' | 'stopped' = 'held';
  #renewedMs: number;
  #timer: Timer | undefined;
  #renewing: Promise<void> = Promise.resolve();

  constructor(store: ChordStore, claim: ChordClaim, clock: Clock) {
    this.#store = store;
    this.#claim = claim;
    this.#clock = clock;
    this.#renewedMs = clock.now();
  }

  start(): void {
    this.#timer = this.#clock.after(this.#claim.leaseMs / 3, () => {
      this.#renewing = this.#renew();
    });
  }

  /**
   * Whether the claim is still ours. Asks Redis only when no sign of life was given for a lease: the process may have
   * stood still, and another one taken over.
   */
  async held(): Promise<boolean> {
    await this.#renewing;
    if (this.#state === 'held' && this.#clock.now() - this.#renewedMs >= this.#claim.leaseMs) await this.#tell();
    return this.#state === 'held';
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#timer?.cancel();
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    try {
      await this.#tell();
    } catch (error) {
      // Out of reach: the next one, or `held`, tells whether it lapsed meanwhile.
      if (error instanceof BackendClosedError && this.#state === 'held') this.#state = 'lost';
    }
    if (this.#state === 'held') this.start();
  }

  async #tell(): Promise<void> {
    const askedMs = this.#clock.now();
    const isOurs = await this.#store.renew(this.#claim);
    if (isOurs) this.#renewedMs = askedMs;
    else if (this.#state === 'held') this.#state = 'lost';
  }
}
