/** A channel and those who wait on it, as the consumer keeps them. The machine is at the head of consumer.ts. */
import type { Timer } from '../clock.ts';
import type { TaskMeta } from '../meta.ts';
import type { AnsweredBy, WaitOutcome } from '../diagnostics.ts';
import { BackendClosedError } from '../errors.ts';
import { SmallSet } from './small-set.ts';
import { isReady } from '../states.ts';

/**
 * Why a wait ended without a ready meta. The error is built by the one who awaited, so that its stack names the caller.
 */
export class WaitFailure {
  readonly outcome: Exclude<WaitOutcome, 'ready'>;
  readonly error: () => unknown;

  constructor(outcome: Exclude<WaitOutcome, 'ready'>, error: () => unknown) {
    this.outcome = outcome;
    this.error = error;
  }
}

/** What an error makes of a wait that has this signal. */
export function failureOf(error: unknown, signal?: AbortSignal): WaitFailure {
  const aborted = signal?.aborted === true && error === signal.reason;
  return new WaitFailure(aborted ? 'aborted' : error instanceof BackendClosedError ? 'closed' : 'failed', () => error);
}

/** How a wait ends: with a ready meta, or not. */
export type WaitEnd = TaskMeta | WaitFailure;

/** Sees every meta of a task, the ready one included. */
export type MetaObserver = (meta: TaskMeta) => unknown;

/** What a wait may be given. */
export interface WaitLimits {
  /** Milliseconds; undefined = no limit. */
  readonly timeoutMs?: number | undefined;
  /** The limit as it was given, where a part of it has passed before. @default timeoutMs */
  readonly givenMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: MetaObserver | undefined;
  /** Is told, before the wait settles, how it had its result. Given only where anyone wants to know. */
  readonly trace?: WaitTrace | undefined;
}

/** See {@link WaitLimits.trace}. */
export interface WaitTrace {
  by: AnsweredBy | undefined;
}

/** One wait. It is settled when its channel no longer has it. */
export class Waiter {
  readonly channel: Channel;
  readonly limits: WaitLimits;
  readonly settle: (end: WaitEnd) => void;
  /** The ready meta, while its observer takes its time over it. */
  ready: TaskMeta | undefined;
  /** The deadline, and after it the end of the last look's budget. */
  timer: Timer | undefined;

  constructor(channel: Channel, limits: WaitLimits, settle: (end: WaitEnd) => void) {
    this.channel = channel;
    this.limits = limits;
    this.settle = settle;
  }

  /**
   * Shows a meta to the observer, unless the wait is settled or has what it waits for. `end` gets one that is ready, once
   * the observer is done with it, and what the observer throws or rejects with.
   */
  give(meta: TaskMeta, end: (end: WaitEnd) => void): void {
    if (this.ready || !this.channel.waiters.has(this)) return;
    // Of many its turn to end is still to come.
    if (this.limits.signal?.aborted) return;
    const ready = isReady(meta.status);
    if (ready) this.ready = meta;
    const shown = observe(this.limits.onMessage, meta, (error) => {
      end(new WaitFailure('failed', () => error));
    });
    if (!ready) return;
    if (!shown) end(meta);
    else
      void shown.then(() => {
        end(meta);
      });
  }
}

/**
 * Shows a meta to an observer, if there is one. `fail` gets what it throws or rejects with.
 *
 * @returns a promise that never rejects, where the observer takes its time
 */
export function observe(
  onMessage: MetaObserver | undefined,
  meta: TaskMeta,
  fail: (error: unknown) => void,
): Promise<void> | undefined {
  try {
    const outcome = onMessage?.(meta);
    if (typeof outcome !== 'object' || outcome === null) return undefined;
    return Promise.resolve(outcome).then(() => undefined, fail);
  } catch (error) {
    fail(error);
    return undefined;
  }
}

/** A channel that is absent is not kept at all. */
export type ChannelState = 'subscribing' | 'held' | 'reading' | 'live' | 'unsubscribing';

/** How a meta was seen. */
export type SeenBy = Exclude<AnsweredBy, 'cache' | 'held'>;

/** A meta that was seen, with its bytes. */
export interface Sighting {
  readonly meta: TaskMeta;
  readonly payload: Uint8Array;
  /** Unless it is a message, that may still come. */
  readonly by: SeenBy;
}

/** Channels in a queue: see channel-queue.ts. */
export interface Row {
  size: number;
  first: Channel | undefined;
  last: Channel | undefined;
}

/** One channel. */
export class Channel {
  readonly taskId: string;
  /** The key, which is also the channel's name. */
  readonly key: string;
  readonly waiters: SmallSet<Waiter>;
  /** Whether it is held for a wait to come. Never together with waiters. */
  held = false;
  /** Counts up whenever what is in flight no longer counts. */
  generation = 0;
  /** The last meta, for those who join. It is ready only while observers take their time over it. */
  last: Sighting | undefined;
  /** A message came while the read was in flight, so that an unready reply is older than it. */
  overtaken = false;
  /** The cache's epoch when this generation began: what is forgotten after it is not taken in. */
  epoch = 0;
  /** Whether the link was made anew since it was live, so that it may have missed a message. */
  gap = false;
  /** When its longest wait began, on the monotonic clock. Noted only where anyone listens for late results. */
  since: number | undefined;
  /** How often a connection had come up when its last SUBSCRIBE was sent. */
  readies = 0;
  /** When the key was last read, or, before that, when the channel was joined; on the monotonic clock. */
  readAt: number;
  /** The queue that it is in, and its neighbours there. */
  row: Row | undefined;
  before: Channel | undefined;
  after: Channel | undefined;
  #state: ChannelState = 'subscribing';
  #subscribed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(taskId: string, key: string) {
    this.taskId = taskId;
    this.key = key;
    this.waiters = new SmallSet();
    this.readAt = -Infinity;
  }

  get state(): ChannelState {
    return this.#state;
  }

  set state(state: ChannelState) {
    if (state === 'live' || this.#state === 'unsubscribing') this.gap = false;
    else if (state === 'subscribing') this.gap ||= this.#state === 'live';
    this.#state = state;
    if (state === 'subscribing') return;
    this.#subscribed?.resolve();
    this.#subscribed = undefined;
  }

  /** Whether anyone waits on it, or will. */
  get wanted(): boolean {
    return this.held || this.waiters.size > 0;
  }

  /** Whether its last meta is ready, so that no read finds more: observers take their time over it. */
  get ready(): boolean {
    return this.last !== undefined && isReady(this.last.meta.status);
  }

  /** Resolves when it is no longer `subscribing`, whatever comes after. */
  whenSubscribed(): Promise<void> {
    if (this.#state !== 'subscribing') return Promise.resolve();
    if (!this.#subscribed) {
      let resolve!: () => void;
      const promise = new Promise<void>((settle) => {
        resolve = settle;
      });
      this.#subscribed = { promise, resolve };
    }
    return this.#subscribed.promise;
  }

  /** Whether an unready meta that a read found is neither older than a message nor what was shown already. */
  isNews(payload: Uint8Array): boolean {
    return !this.overtaken && !this.isLast(payload);
  }

  /** Whether these are the bytes that were seen last. */
  isLast(payload: Uint8Array): boolean {
    return this.last !== undefined && Buffer.compare(this.last.payload, payload) === 0;
  }
}
