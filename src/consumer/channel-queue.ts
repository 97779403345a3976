/** Channels that wait for something, one a key, in the order they came. */
import type { Channel } from './channel.ts';

/**
 * By key, since a key may have had another channel before. Its head is kept: to look for it anew would be to pass each
 * time over the places of all that were taken.
 */
export class ChannelQueue {
  #channels = new Map<string, Channel>();
  #head = this.#channels.values();

  get size(): number {
    return this.#channels.size;
  }

  /** Adds a channel, in the place of another one of its key. */
  add(channel: Channel): void {
    this.#channels.set(channel.key, channel);
  }

  delete({ key }: Channel): void {
    this.#channels.delete(key);
  }

  clear(): void {
    this.#channels.clear();
  }

  /** The first ones, which leave it. */
  take(most: number): Channel[] {
    const taken: Channel[] = [];
    while (taken.length < most && this.#channels.size > 0) {
      const { value } = this.#head.next();
      if (!value) this.#head = this.#channels.values();
      else {
        this.#channels.delete(value.key);
        taken.push(value);
      }
    }
    return taken;
  }

  /** Takes over all of another queue. */
  absorb(other: ChannelQueue): void {
    // The shorter one is moved: most often the other is empty.
    if (other.size > this.size) {
      [this.#channels, other.#channels] = [other.#channels, this.#channels];
      [this.#head, other.#head] = [other.#head, this.#head];
    }
    for (const channel of other.#channels.values()) this.add(channel);
    other.clear();
  }
}
