/**
 * Brings channels from wanted to verified: SUBSCRIBE, confirmation, one read where someone waits; and from there to
 * unsubscribed. In batches, a bounded number at a time, and again until it has worked.
 */
import type { Channel } from './channel.ts';
import { ChannelQueue } from './channel-queue.ts';
import type { Clock, Timer } from '../clock.ts';
import { BackendClosedError } from '../errors.ts';
import type { ChannelSource, ResultStore } from '../ports.ts';
import { isRetryable } from '../retry.ts';

/** Channels of one batch: 2 to 5 ms of work. One turn of the event loop sends a full one of each kind at the most. */
const BATCH = 256;
/** Channels under way at once. Not batches, of which each wait may be one: the few that a silent node keeps would keep all. */
const RUNNING = 2048;
/** How many UNSUBSCRIBEs give way to those who are being woken. */
const GIVE_WAY = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/** What the verifier tells the consumer. */
export interface VerifierHost {
  /** Whether anyone still wants this channel, in whatever generation. */
  isWanted(channel: Channel): boolean;
  /** The server will not let us subscribe; the channel lives by the backstop alone. */
  onRefused(channel: Channel, error: Error): void;
  /** The key was read. */
  onRead(channel: Channel, generation: number, payload: Uint8Array | null): void;
  /** It will never work. */
  onFailed(channel: Channel, error: unknown): void;
  /** The server has let go of the channel. */
  onUnsubscribed(channel: Channel, generation: number): void;
}

interface Member {
  readonly channel: Channel;
  readonly generation: number;
  /** How often a connection had come up when it began. */
  readonly readies: number;
}

const isCurrent = ({ channel, generation }: Member): boolean => channel.generation === generation;

/**
 * Batches what one tick asks for, and sends the rest of much in turns to come. Of one channel the order is always
 * UNSUBSCRIBE before SUBSCRIBE before the read: an UNSUBSCRIBE that has not left yet when the channel is wanted again
 * never leaves.
 */
export class Verifier {
  readonly #store: ResultStore;
  readonly #source: ChannelSource;
  readonly #clock: Clock;
  readonly #host: VerifierHost;
  readonly #wanted = new ChannelQueue();
  readonly #leaving = new ChannelQueue();
  /** Failed, to be tried again. */
  readonly #stalled = new ChannelQueue();
  /** Their UNSUBSCRIBE was refused for now. */
  readonly #kept = new ChannelQueue();
  #scheduled = false;
  /** Whether the next turn of the event loop is to send what there is. */
  #turning = false;
  /** Whether this turn has sent a full batch of SUBSCRIBE. */
  #spent = false;
  /** How many may be under way. Until one batch is confirmed: what waits for a first connection leaves at once when it is there. */
  #window = BATCH;
  /** Whether channels were left in this turn. */
  #left = false;
  /** Channels under way. */
  #running = 0;
  /** Pauses since a batch worked or a connection came up. */
  #failures = 0;
  /** How often a connection came up. */
  #readies = 0;
  #closed = false;
  #retry: Timer | undefined;

  constructor(store: ResultStore, source: ChannelSource, clock: Clock, host: VerifierHost) {
    this.#store = store;
    this.#source = source;
    this.#clock = clock;
    this.#host = host;
  }

  /** Subscribes to a channel in state `subscribing`, and reads it unless it is only held; only reads one in state `reading`. */
  verify(channel: Channel): void {
    this.#wanted.add(channel);
    this.#schedule();
  }

  /** Unsubscribes from a channel. */
  leave(channel: Channel): void {
    if (this.#closed) return;
    this.#left = true;
    this.#leaving.add(channel);
    this.#turn();
  }

  /** Whether the SUBSCRIBE of a channel was sent before a connection came up. */
  isStale(channel: Channel): boolean {
    return channel.readies < this.#readies;
  }

  /** A connection came up: tries again at once what has failed, and whatever began before this and fails after it. */
  ready(): void {
    this.#readies += 1;
    this.#failures = 0;
    this.#again();
  }

  #again(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#wanted.absorb(this.#stalled);
    this.#leaving.absorb(this.#kept);
    this.#schedule();
    if (this.#leaving.size > 0) this.#turn();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#wanted.clear();
    this.#leaving.clear();
    this.#stalled.clear();
    this.#kept.clear();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** In the next turn, as much again may be sent. */
  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      this.#spent = false;
      this.#flushLeaving();
      this.#flush();
    });
  }

  /** Those who were woken go first, and while some are being woken in each turn all of them do. */
  #flushLeaving(): void {
    const giveWay = this.#left && this.#leaving.size <= GIVE_WAY;
    this.#left = false;
    // Another channel may have come in the place of one that the server has let go of, with a SUBSCRIBE that has left already.
    const unwanted = this.#leaving.take(giveWay ? 0 : BATCH).filter((channel) => !this.#host.isWanted(channel));
    if (unwanted.length > 0) void this.#unsubscribe(unwanted.map((channel) => this.#member(channel)));
    if (this.#leaving.size > 0) this.#turn();
  }

  #flush(): void {
    while (this.#wanted.size > 0 && !this.#spent && this.#running < this.#window) {
      const batch = this.#wanted.take(BATCH);
      this.#spent = batch.length === BATCH;
      void this.#run(this.#begin(batch));
    }
    if (this.#spent) this.#turn();
  }

  #begin(batch: readonly Channel[]): Member[] {
    return batch.map((channel) => {
      if (channel.state === 'subscribing') channel.readies = this.#readies;
      return this.#member(channel);
    });
  }

  /** Never rejects. */
  async #run(batch: readonly Member[]): Promise<void> {
    this.#running += batch.length;
    const subscribed = await this.#subscribe(batch.filter(({ channel }) => channel.state === 'subscribing'));
    if (subscribed && this.#window < RUNNING) {
      this.#window = RUNNING;
      this.#schedule();
    }
    const read = await this.#read(batch.filter((member) => isCurrent(member) && member.channel.state === 'reading'));
    if (subscribed && read) this.#failures = 0;
    this.#running -= batch.length;
    if (this.#wanted.size > 0) this.#schedule();
  }

  /** Resolves to whether all of it worked; never rejects. */
  async #subscribe(members: readonly Member[]): Promise<boolean> {
    if (members.length === 0) return true;
    let refusals: readonly (Error | null)[];
    try {
      refusals = await this.#source.subscribe(members.map(({ channel }) => channel.key));
    } catch (error) {
      for (const member of members) this.#failed(member, error);
      return false;
    }
    const unwanted: Member[] = [];
    let passing = false;
    members.forEach((member, i) => {
      const { channel } = member;
      if (isCurrent(member) && channel.state === 'subscribing') {
        const refusal = refusals[i];
        // Such as `BUSY`: it is still to be subscribed to.
        if (refusal && isRetryable(refusal)) {
          passing = true;
          this.#failed(member, refusal);
          return;
        }
        channel.state = channel.held ? 'held' : 'reading';
        channel.overtaken = false;
        if (refusal) this.#host.onRefused(channel, refusal);
      } else if (!this.#host.isWanted(channel)) {
        // The UNSUBSCRIBE may have found no link to go out on, and this SUBSCRIBE one later.
        unwanted.push(this.#member(channel));
      }
    });
    if (unwanted.length > 0) void this.#unsubscribe(unwanted);
    return !passing;
  }

  /** Each for itself, though the store sends them together: a slow one delays no other. Resolves as `#subscribe` does. */
  async #read(members: readonly Member[]): Promise<boolean> {
    let worked = true;
    const read = async (member: Member): Promise<void> => {
      const { channel, generation } = member;
      try {
        this.#host.onRead(channel, generation, await this.#store.read(channel.key));
      } catch (error) {
        worked &&= !isRetryable(error);
        this.#failed(member, error);
      }
    };
    await Promise.all(members.map(read));
    return worked;
  }

  /** Never rejects. */
  async #unsubscribe(members: readonly Member[]): Promise<void> {
    const refusals = await this.#source.unsubscribe(members.map(({ channel }) => channel.key));
    members.forEach((member, i) => {
      const { channel, generation } = member;
      if (!isRetryable(refusals[i])) this.#host.onUnsubscribed(channel, generation);
      // Of a newer generation, another UNSUBSCRIBE is on its way.
      else if (isCurrent(member) && !this.#host.isWanted(channel)) this.#kept.add(channel);
    });
    this.#retryLater();
  }

  #failed(member: Member, error: unknown): void {
    const { channel, readies } = member;
    if (!isCurrent(member) || error instanceof BackendClosedError) return;
    if (!isRetryable(error)) this.#host.onFailed(channel, error);
    else if (!this.#host.isWanted(channel)) return;
    // What broke is whole again, so that there is nothing to wait for. Once a connection: the next try begins after it.
    else if (readies < this.#readies) this.verify(channel);
    else {
      this.#stalled.add(channel);
      this.#retryLater();
    }
  }

  #member(channel: Channel): Member {
    return { channel, generation: channel.generation, readies: this.#readies };
  }

  #retryLater(): void {
    if (this.#stalled.size + this.#kept.size === 0 || this.#retry || this.#closed) return;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LAST_RETRY_MS);
    this.#failures += 1;
    this.#retry = this.#clock.after(delay * (0.5 + Math.random() / 2), () => {
      this.#again();
    });
  }
}
