/**
 * One subscription a channel, many waiters; or none yet, where it is held for a wait to come.
 *
 * A channel is a small machine:
 *
 * ```
 * absent        -- first waiter joins, or held -------> subscribing
 * subscribing   -- confirmed or refused --------------> reading
 * subscribing   -- refusal that passes ---------------> subscribing    (tried again)
 * subscribing   -- confirmed, and nobody waits yet ---> held           (not read)
 * held          -- first waiter joins, takes the hold > reading
 * reading       -- read, not ready -------------------> live
 * reading       -- read failed -----------------------> reading        (tried again)
 * reading, live -- message that is no answer ---------> reading        (read once more)
 * live          -- waiter joins ----------------------> live           (no read; shown the last meta)
 * others        -- ready, by message or read ---------> unsubscribing  (all waiters settled)
 * held          -- SUCCESS, by message ---------------> unsubscribing  (the meta held instead)
 * held          -- any other message -----------------> held           (not kept: a SUCCESS may still follow)
 * any           -- last waiter leaves, hold dropped --> unsubscribing
 * unsubscribing -- waiter joins, or held -------------> subscribing    (a new generation)
 * unsubscribing -- refusal that passes ---------------> unsubscribing  (tried again)
 * unsubscribing -- unsubscribed, or link made anew ---> absent
 * others        -- link made anew --------------------> subscribing    (a new generation)
 * ```
 *
 * It is complete because writers set before they publish: what the read, which follows the confirmation, does not find
 * is published after it. A channel that is only held is not read: most of them are of tasks not even sent. What it
 * missed, its first waiter's read finds; of messages only a SUCCESS is kept, which is final. Confirmations and unready
 * reads of an older generation are ignored; a ready meta always counts, before any confirmation too.
 */
import { Backstop } from './backstop.ts';
import { Channel, type SeenBy, type WaitEnd, WaitFailure, type WaitLimits, Waiter } from './channel.ts';
import { BackendClosedError } from '../errors.ts';
import { calls, Deadlines } from './deadlines.ts';
import { Holds } from './holds.ts';
import { KnownWaits } from './known-waits.ts';
import { lookOnce } from './last-look.ts';
import type { TaskMeta } from '../meta.ts';
import { type ConsumerParts, timeoutOf, tryDecode, unreadable, warnRefused } from './parts.ts';
import type { ChannelListener } from '../ports.ts';
import { Signals } from './signals.ts';
import { isReady } from '../states.ts';
import { noteSince, Tally } from './tally.ts';
import { A_PART, A_TURN, inTurns } from '../turns.ts';
import { Verifier, type VerifierHost } from './verifier.ts';

/** Joins the channels of a source to those who wait. */
export class Consumer implements ChannelListener, VerifierHost {
  readonly #parts: ConsumerParts;
  readonly #verifier: Verifier;
  readonly #backstop: Backstop;
  readonly #channels = new Map<string, Channel>();
  readonly #signals = new Signals<Waiter>((waiter, reason) => {
    this.#end(waiter, new WaitFailure('aborted', () => reason));
  });
  readonly #deadlines: Deadlines<Waiter>;
  readonly #budgets: Deadlines<() => void>;
  /** Channels and metas for waits to come. */
  readonly holds: Holds;
  /** Waits for what is known. */
  readonly known: KnownWaits;
  #waits = 0;
  #closed = false;
  readonly tally: Tally = new Tally();

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    this.#verifier = new Verifier(parts.store, parts.source, parts.clock, this);
    this.#backstop = new Backstop(parts.store, parts.clock, parts.backstopMs, this.#channels, (channel, payload) => {
      if (this.#found(channel, payload, 'backstop', channel.state === 'live')) this.tally.rescue(channel, parts.clock);
    });
    this.#deadlines = new Deadlines(parts.clock, this.#onDeadline.bind(this));
    this.#budgets = calls(parts.clock);
    this.holds = new Holds(parts, parts.clock, {
      join: (taskId) => (this.#closed ? undefined : this.#join(taskId)),
      leave: (channel) => {
        this.#leave(channel);
      },
    });
    this.known = new KnownWaits(parts.clock);
    parts.source.listen(this);
  }

  get waits(): number {
    return this.#waits + this.known.size;
  }

  get channels(): number {
    return this.#channels.size;
  }

  /** Waits until the task is ready. Never rejects. */
  wait(taskId: string, limits: WaitLimits): Promise<WaitEnd> {
    const { signal, timeoutMs } = limits;
    if (this.#closed) return Promise.resolve(new WaitFailure('closed', () => new BackendClosedError()));
    if (signal?.aborted) return Promise.resolve(new WaitFailure('aborted', (): unknown => signal.reason));
    return new Promise((resolve) => {
      const channel = this.#join(taskId);
      const waiter = new Waiter(channel, limits, resolve);
      if (channel.waiters.size === 0) channel.since = noteSince(this.#parts.clock);
      channel.waiters.add(waiter);
      this.#takeHold(channel);
      this.#backstop.wake();
      this.#waits += 1;
      if (signal) this.#signals.add(signal, waiter);
      if (timeoutMs !== undefined) waiter.timer = this.#deadlines.after(timeoutMs, waiter);
      const { last } = channel;
      if (last) {
        queueMicrotask(() => {
          this.#give(waiter, last.meta);
        });
      }
    });
  }

  /** Ends every wait. Resolves when that is done. */
  close(): Promise<void> {
    this.#closed = true;
    this.#verifier.close();
    this.#backstop.close();
    this.holds.close();
    this.known.close();
    return inTurns(this.#channels.values(), A_TURN, (channel) => {
      this.#endAll(channel, new WaitFailure('closed', () => new BackendClosedError()));
      channel.state = 'unsubscribing';
      this.#channels.delete(channel.key);
    });
  }

  onMessage(key: string, payload: Uint8Array): void {
    const channel = this.#channels.get(key);
    if (!channel?.wanted) return;
    const meta = tryDecode(this.#parts, channel.taskId, payload);
    if (meta instanceof Error) {
      this.#readOnceMore(channel);
      return;
    }
    channel.overtaken = true;
    const { last } = channel;
    if (last && last.by !== 'message' && channel.isLast(payload)) channel.last = { ...last, by: 'message' };
    else this.#deliver(channel, meta, payload, 'message');
  }

  onReady(): void {
    this.#verifier.ready();
  }

  onReconnect(): void {
    this.#verifier.ready();
    // A channel whose turn has not come is as it was: what it misses, the read that follows finds.
    void inTurns(this.#channels.values(), A_PART, (channel) => {
      if (!channel.wanted) this.#channels.delete(channel.key);
      else if (this.#verifier.isStale(channel)) this.#subscribe(channel);
    });
  }

  isWanted(channel: Channel): boolean {
    return this.#channels.get(channel.key)?.wanted ?? false;
  }

  onRefused(channel: Channel, error: Error): void {
    warnRefused(this.#parts.warnings, error);
    // Nothing will come over it.
    this.holds.drop(channel.taskId);
  }

  onRead(channel: Channel, generation: number, payload: Uint8Array | null): void {
    const current = channel.generation === generation && channel.state === 'reading';
    const { gap } = channel;
    if (current) {
      channel.state = 'live';
      channel.readAt = this.#parts.clock.now();
    }
    if (payload && this.#found(channel, payload, 'read', current) && gap) this.tally.heal(channel, this.#parts.clock);
  }

  onFailed(channel: Channel, error: unknown): void {
    this.#endAll(channel, unreadable(channel.taskId, error));
    this.holds.drop(channel.taskId);
  }

  onUnsubscribed(channel: Channel, generation: number): void {
    if (channel.generation !== generation || channel.state !== 'unsubscribing') return;
    if (this.#channels.get(channel.key) === channel) this.#channels.delete(channel.key);
  }

  #join(taskId: string): Channel {
    const key = this.#parts.keys.task(taskId);
    const present = this.#channels.get(key);
    if (present && present.state !== 'unsubscribing') return present;
    const channel = present ?? new Channel(taskId, key);
    // Not at each new link: one that never lives to confirm must not put the backstop off for ever.
    channel.readAt = this.#parts.clock.now();
    this.#channels.set(key, channel);
    this.#subscribe(channel);
    return channel;
  }

  /** A first waiter has come: what is held is its own now. */
  #takeHold(channel: Channel): void {
    this.holds.take(channel);
    if (channel.state !== 'held') return;
    channel.state = 'reading';
    channel.overtaken = false;
    this.#verifier.verify(channel);
  }

  #leave(channel: Channel): void {
    channel.generation += 1;
    channel.state = 'unsubscribing';
    channel.last = undefined;
    this.#verifier.leave(channel);
  }

  #subscribe(channel: Channel): void {
    channel.generation += 1;
    channel.state = 'subscribing';
    channel.epoch = this.#parts.cache.epoch;
    this.#verifier.verify(channel);
  }

  /** A message was no answer, so that only the key can tell. */
  #readOnceMore(channel: Channel): void {
    if (channel.state === 'subscribing' || channel.state === 'held') return;
    channel.generation += 1;
    channel.state = 'reading';
    channel.overtaken = false;
    this.#verifier.verify(channel);
  }

  /** Never throws: what goes wrong with one channel ends its own waits, and nothing else. */
  #deliver(channel: Channel, meta: TaskMeta, payload: Uint8Array, by: SeenBy): void {
    try {
      this.#parts.cache.set(channel.taskId, meta, payload.byteLength, channel.epoch);
      if (!channel.held) channel.last = { meta, payload, by };
      // Anything else may still be replaced, unseen once the channel is left.
      if (meta.status === 'SUCCESS') this.holds.fill(channel, meta, payload.byteLength);
      for (const waiter of channel.waiters) this.#give(waiter, meta);
    } catch (error) {
      this.#endAll(channel, new WaitFailure('failed', () => error));
    }
  }

  /**
   * A read found something: a ready meta counts always, anything else only if the read is `current`. Returns whether it
   * made the channel ready.
   */
  #found(channel: Channel, payload: Uint8Array, by: SeenBy, current: boolean): boolean {
    if (channel.ready || channel.waiters.size === 0 || payload.byteLength === 0) return false;
    const meta = tryDecode(this.#parts, channel.taskId, payload);
    if (meta instanceof Error) {
      if (current) this.#endAll(channel, new WaitFailure('failed', () => meta));
      return false;
    }
    const ready = isReady(meta.status);
    if (ready || (current && channel.isNews(payload))) this.#deliver(channel, meta, payload, by);
    return ready;
  }

  #onDeadline(waiter: Waiter): void {
    const { store, lastLookMs } = this.#parts;
    const { channel, ready } = waiter;
    if (ready) {
      this.#end(waiter, ready);
      return;
    }
    waiter.timer = lookOnce(store, this.#budgets, lastLookMs, channel.key, {
      onRead: (payload) => {
        if (this.#found(channel, payload, 'last look', true)) this.tally.foundAtDeadline += 1;
      },
      onExpired: (outcome) => {
        this.#end(waiter, waiter.ready ?? timeoutOf(channel.taskId, waiter.limits, outcome));
      },
    });
  }

  #give(waiter: Waiter, meta: TaskMeta): void {
    waiter.give(meta, (end) => {
      this.#end(waiter, end);
    });
  }

  #endAll(channel: Channel, end: WaitEnd): void {
    for (const waiter of channel.waiters) this.#end(waiter, end);
  }

  /** Settles a waiter, unless it is settled already, and lets go of a channel that nobody waits on. */
  #end(waiter: Waiter, end: WaitEnd): void {
    const { channel } = waiter;
    if (!channel.waiters.delete(waiter)) return;
    this.#waits -= 1;
    waiter.timer?.cancel();
    const { signal, trace } = waiter.limits;
    if (signal) this.#signals.remove(signal, waiter);
    if (trace) trace.by = channel.last?.by;
    if (end instanceof WaitFailure && end.outcome === 'timeout') this.tally.timeouts += 1;
    waiter.settle(end);
    if (channel.waiters.size === 0) this.#leave(channel);
  }
}
