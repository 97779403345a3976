/**
 * A slow re-read of awaited keys, for what no message announces: writers that never PUBLISH, channels the server refuses,
 * gaps of a cluster's pub/sub, a subscriber that cannot connect.
 */
import type { Channel } from './channel.ts';
import type { Clock, Timer } from '../clock.ts';
import type { ResultStore } from '../ports.ts';

/** Keys of one read. Ten such reads a second at the most. */
const CHUNK = 100;
const PAUSE_MS = 100;
/** Channels that are passed over, since they are not due, before the next pause. */
const MOST_PASSED = 10_000;

/**
 * Goes over the channels in rounds. A key is read only when it was not read for a whole interval, and a round takes
 * its time: 1,000 keys a second at the most.
 *
 * resting -> (interval, jittered) -> reading -> (no channel left) -> resting
 */
export class Backstop {
  readonly #store: ResultStore;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #found: (channel: Channel, payload: Uint8Array) => void;
  #timer: Timer | undefined;
  #round: Iterator<Channel, undefined> | undefined;
  /** Whether the round has come to its end. */
  #isOver = false;

  constructor(
    store: ResultStore,
    clock: Clock,
    intervalMs: number,
    channels: ReadonlyMap<string, Channel>,
    found: (channel: Channel, payload: Uint8Array) => void,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#channels = channels;
    this.#found = found;
  }

  /** Begins to rest, if there is anything to come back for. */
  wake(): void {
    if (this.#timer || this.#round || this.#intervalMs === 0 || this.#channels.size === 0) return;
    this.#timer = this.#clock.after(this.#intervalMs * (1 + Math.random() / 4), () => {
      this.#round = this.#channels.values();
      void this.#next();
    });
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#round = undefined;
  }

  /** Reads one chunk of the round. Never rejects. */
  async #next(): Promise<void> {
    this.#timer = undefined;
    const chunk = this.#chunk();
    await Promise.all(chunk.map((channel) => this.#look(channel)));
    if (!this.#round) return;
    if (this.#isOver) {
      this.#round = undefined;
      this.wake();
    } else {
      this.#timer = this.#clock.after(PAUSE_MS, () => void this.#next());
    }
  }

  /** Never rejects: a link that is down has its own cure, and what it misses is read when it is back. */
  async #look(channel: Channel): Promise<void> {
    const payload = await this.#store.read(channel.key).catch(() => null);
    if (payload) this.#found(channel, payload);
  }

  #chunk(): Channel[] {
    const chunk: Channel[] = [];
    const before = this.#clock.now() - this.#intervalMs;
    for (let passed = 0; this.#round && passed < MOST_PASSED && chunk.length < CHUNK; passed += 1) {
      const { value } = this.#round.next();
      this.#isOver = !value;
      if (!value) break;
      if (!isDue(value) || value.readAt > before) continue;
      value.readAt = this.#clock.now();
      value.overtaken = false;
      chunk.push(value);
    }
    return chunk;
  }
}

/**
 * A channel whose confirmation does not come is read as well. That completes no subscription (the read which does, the
 * verifier's, follows the confirmation), but a ready meta always counts.
 */
function isDue({ state, waiters }: Channel): boolean {
  return state === 'live' || (state === 'subscribing' && waiters.size > 0);
}
