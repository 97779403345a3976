/** What is held for waits to come: a channel, then the SUCCESS that came over it. */
import type { Channel } from './channel.ts';
import type { Clock, Timer } from '../clock.ts';
import type { TaskMeta } from '../meta.ts';

/** What bounds the holds of a backend. Whatever goes over a bound costs its wait one read, never a result. */
export interface HoldLimits {
  /** Milliseconds that a hold lasts. */
  readonly holdForMs: number;
  /** Holds; the oldest go first. */
  readonly maxHeld: number;
  /** Payload bytes of all metas together; of those the oldest holds go first. */
  readonly maxHeldBytes: number;
}

/** What holds need of a consumer. */
export interface HoldHost {
  /** The channel of a task, subscribed or being so; undefined once closed. */
  readonly join: (taskId: string) => Channel | undefined;
  /** Unsubscribes. */
  readonly leave: (channel: Channel) => void;
}

interface Hold {
  readonly channel: Channel;
  /** When it ends, on the monotonic clock. */
  readonly until: number;
  /** The SUCCESS, once it is there. */
  meta: TaskMeta | undefined;
  /** Payload bytes of it. */
  bytes: number;
}

/**
 * Holds by task, oldest first, with one timer for all of them. A hold is a small machine beside that of its channel:
 *
 * ```
 * absent     -- add --------------------------------> subscribed
 * subscribed -- add --------------------------------> subscribed  (its time begins anew)
 * subscribed -- SUCCESS ----------------------------> done        (the channel is left)
 * subscribed -- any other message ------------------> subscribed  (not kept)
 * any        -- taken by a wait, dropped, a bound --> absent
 * ```
 *
 * A failure is not kept: a SUCCESS may replace it, and nobody would tell.
 */
export class Holds {
  readonly #limits: HoldLimits;
  readonly #clock: Clock;
  readonly #host: HoldHost;
  readonly #holds = new Map<string, Hold>();
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(limits: HoldLimits, clock: Clock, host: HoldHost) {
    this.#limits = limits;
    this.#clock = clock;
    this.#host = host;
  }

  get size(): number {
    return this.#holds.size;
  }

  /** The SUCCESS that is held for a task. */
  metaOf(taskId: string): TaskMeta | undefined {
    return this.#holds.get(taskId)?.meta;
  }

  /**
   * Subscribes for a wait to come, unless somebody waits already. Resolves when that is confirmed, refused or given up.
   * Never rejects.
   */
  add(taskId: string): Promise<void> {
    const channel = this.metaOf(taskId) ? undefined : this.#host.join(taskId);
    if (!channel) return Promise.resolve();
    if (channel.waiters.size === 0) this.#begin(channel);
    return channel.whenSubscribed();
  }

  /** The task of a channel has succeeded: from now on its meta is held, and no channel. */
  fill(channel: Channel, meta: TaskMeta, bytes: number): void {
    const hold = this.#holds.get(channel.taskId);
    if (!hold) return;
    Object.assign(hold, { meta, bytes });
    this.#bytes += bytes;
    this.#release(channel);
    for (const [taskId, { bytes: size }] of this.#holds) {
      if (this.#bytes <= this.#limits.maxHeldBytes) break;
      if (size > 0) this.drop(taskId);
    }
  }

  /** A wait takes a channel over, which is not left. */
  take(channel: Channel): void {
    this.#delete(channel.taskId);
    channel.held = false;
  }

  /** Ends a hold, if there is one. */
  drop(taskId: string): void {
    const hold = this.#delete(taskId);
    if (hold) this.#release(hold.channel);
  }

  close(): void {
    for (const { channel } of this.#holds.values()) channel.held = false;
    this.#holds.clear();
    this.#bytes = 0;
    this.#rest();
  }

  #begin(channel: Channel): void {
    this.#delete(channel.taskId);
    const until = this.#clock.now() + this.#limits.holdForMs;
    this.#holds.set(channel.taskId, { channel, until, meta: undefined, bytes: 0 });
    channel.held = true;
    const [oldest] = this.#holds.keys();
    if (this.#holds.size > this.#limits.maxHeld && oldest !== undefined) this.drop(oldest);
    this.#arm();
  }

  #delete(taskId: string): Hold | undefined {
    const hold = this.#holds.get(taskId);
    if (!hold) return undefined;
    this.#bytes -= hold.bytes;
    this.#holds.delete(taskId);
    if (this.#holds.size === 0) this.#rest();
    return hold;
  }

  #release(channel: Channel): void {
    if (!channel.held) return;
    channel.held = false;
    this.#host.leave(channel);
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** They all last as long, so that the oldest is the next to end. */
  #arm(): void {
    const [oldest] = this.#holds.values();
    if (this.#timer || !oldest) return;
    this.#timer = this.#clock.after(oldest.until - this.#clock.now(), () => {
      this.#timer = undefined;
      for (const [taskId, { until }] of this.#holds) {
        if (until > this.#clock.now()) break;
        this.drop(taskId);
      }
      this.#arm();
    });
  }
}
