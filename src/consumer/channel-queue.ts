/** Channels that wait for something, in the order they came. Linked: a `Map` of 100,000 holds the loop when it grows. */
import type { Channel, Row } from './channel.ts';

/** A channel is in one queue at a time: to be added to another is to leave the one it is in. */
export class ChannelQueue {
  #row = emptyRow();

  get size(): number {
    return this.#row.size;
  }

  /** Adds a channel at the end; one that is here already keeps its place. */
  add(channel: Channel): void {
    const row = this.#row;
    if (channel.row === row) return;
    remove(channel);
    const { last } = row;
    channel.row = row;
    channel.before = last;
    if (last) last.after = channel;
    else row.first = channel;
    row.last = channel;
    row.size += 1;
  }

  /** Lets go of all at once. */
  clear(): void {
    this.#row = emptyRow();
  }

  /** The first ones, which leave it. */
  take(most: number): Channel[] {
    const taken: Channel[] = [];
    while (taken.length < most) {
      const { first } = this.#row;
      if (!first) break;
      remove(first);
      taken.push(first);
    }
    return taken;
  }

  /** Takes over all of another queue. */
  absorb(other: ChannelQueue): void {
    // The shorter one is moved: most often the other is empty.
    if (other.size > this.size) [this.#row, other.#row] = [other.#row, this.#row];
    for (const channel of other.take(other.size)) this.add(channel);
  }
}

function emptyRow(): Row {
  return { size: 0, first: undefined, last: undefined };
}

function remove(channel: Channel): void {
  const { row, before, after } = channel;
  if (!row) return;
  if (before) before.after = after;
  else row.first = after;
  if (after) after.before = before;
  else row.last = before;
  row.size -= 1;
  channel.row = undefined;
  channel.before = undefined;
  channel.after = undefined;
}
