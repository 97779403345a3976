/**
 * Brings channels from wanted to verified: SUBSCRIBE, confirmation, one read where someone waits; and from there to
 * unsubscribed. In batches, a bounded number at a time, and again until it has worked.
 */
import type { Channel } from './channel.ts';
import type { Clock, Timer } from '../clock.ts';
import { BackendClosedError } from '../errors.ts';
import type { ChannelSource, ResultStore } from '../ports.ts';
import { isRetryable } from '../retry.ts';

/** Channels of one batch. */
const BATCH = 256;
/** Batches under way at once. */
const RUNNING = 8;
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
}

const isCurrent = ({ channel, generation }: Member): boolean => channel.generation === generation;

/** Batches what one tick asks for; the order is always UNSUBSCRIBE before SUBSCRIBE before the read. */
export class Verifier {
  readonly #store: ResultStore;
  readonly #source: ChannelSource;
  readonly #clock: Clock;
  readonly #host: VerifierHost;
  readonly #wanted = new Set<Channel>();
  readonly #leaving = new Set<Channel>();
  /** Failed, to be tried again. */
  readonly #stalled = new Set<Channel>();
  #scheduled = false;
  #running = 0;
  #failures = 0;
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
    this.#stalled.delete(channel);
    this.#wanted.add(channel);
    this.#schedule();
  }

  /** Unsubscribes from a channel. */
  leave(channel: Channel): void {
    this.#stalled.delete(channel);
    this.#wanted.delete(channel);
    this.#leaving.add(channel);
    // Those who were woken go first.
    setImmediate(() => {
      this.#flush();
    });
  }

  /** Tries again at once what has failed. */
  kick(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    for (const channel of this.#stalled) {
      if (channel.wanted) this.#wanted.add(channel);
      else if (!this.#host.isWanted(channel)) this.#leaving.add(channel);
    }
    this.#stalled.clear();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#wanted.clear();
    this.#leaving.clear();
    this.#stalled.clear();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#leaving.size > 0) {
      void this.#unsubscribe([...this.#leaving].map(toMember));
      this.#leaving.clear();
    }
    while (this.#wanted.size > 0 && this.#running < RUNNING) void this.#run(this.#take());
  }

  #take(): Member[] {
    const batch: Member[] = [];
    for (const channel of this.#wanted) {
      this.#wanted.delete(channel);
      batch.push(toMember(channel));
      if (batch.length === BATCH) break;
    }
    return batch;
  }

  /** Never rejects. */
  async #run(batch: readonly Member[]): Promise<void> {
    this.#running += 1;
    try {
      const passing = await this.#subscribe(batch.filter(({ channel }) => channel.state === 'subscribing'));
      await this.#read(batch.filter((member) => isCurrent(member) && member.channel.state === 'reading'));
      if (passing) throw passing;
      this.#failures = 0;
    } catch (error) {
      this.#failed(batch.filter(isCurrent), error);
    } finally {
      this.#running -= 1;
      if (this.#wanted.size > 0) this.#schedule();
    }
  }

  /** Returns a refusal that passes (`BUSY`), if there is one: those channels are still to be subscribed to. */
  async #subscribe(members: readonly Member[]): Promise<Error | undefined> {
    if (members.length === 0) return undefined;
    const refusals = await this.#source.subscribe(members.map(({ channel }) => channel.key));
    const unwanted: Member[] = [];
    let passing: Error | undefined;
    members.forEach((member, i) => {
      const { channel } = member;
      if (isCurrent(member) && channel.state === 'subscribing') {
        const refusal = refusals[i];
        if (refusal && isRetryable(refusal)) {
          passing = refusal;
          return;
        }
        channel.state = channel.held ? 'held' : 'reading';
        channel.overtaken = false;
        if (refusal) this.#host.onRefused(channel, refusal);
      } else if (!this.#host.isWanted(channel)) {
        // The UNSUBSCRIBE may have found no link to go out on, and this SUBSCRIBE one later.
        unwanted.push(toMember(channel));
      }
    });
    if (unwanted.length > 0) void this.#unsubscribe(unwanted);
    return passing;
  }

  /** Each for itself, though the store sends them together: a key that is refused ends its own waits. */
  async #read(members: readonly Member[]): Promise<void> {
    const reads = await Promise.allSettled(members.map(({ channel }) => this.#store.read(channel.key)));
    let passing: Error | undefined;
    members.forEach((member, i) => {
      const { channel, generation } = member;
      const read = reads[i];
      if (read?.status === 'fulfilled') this.#host.onRead(channel, generation, read.value);
      else if (isRetryable(read?.reason)) passing = read?.reason as Error;
      else if (isCurrent(member)) this.#failed([member], read?.reason);
    });
    if (passing) throw passing;
  }

  /** Never rejects. */
  async #unsubscribe(members: readonly Member[]): Promise<void> {
    const refusals = await this.#source.unsubscribe(members.map(({ channel }) => channel.key));
    members.forEach(({ channel, generation }, i) => {
      if (!isRetryable(refusals[i])) this.#host.onUnsubscribed(channel, generation);
      else if (!this.#host.isWanted(channel)) this.#stalled.add(channel);
    });
    this.#retryLater();
  }

  #failed(members: readonly Member[], error: unknown): void {
    if (error instanceof BackendClosedError) return;
    if (!isRetryable(error)) {
      for (const { channel } of members) this.#host.onFailed(channel, error);
      return;
    }
    for (const { channel } of members) if (this.#host.isWanted(channel)) this.#stalled.add(channel);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#stalled.size === 0 || this.#retry || this.#closed) return;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LAST_RETRY_MS);
    this.#failures += 1;
    this.#retry = this.#clock.after(delay * (0.5 + Math.random() / 2), () => {
      this.kick();
    });
  }
}

function toMember(channel: Channel): Member {
  return { channel, generation: channel.generation };
}
