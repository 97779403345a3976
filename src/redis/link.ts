/** The life of one ioredis client: it connects, breaks, and connects again. */
import type { Clock, Timer } from '../clock.ts';
import type { RedisClient } from './client.ts';
import { isReply, sanitise } from './errors.ts';
import { pace } from './pace.ts';
import { Watchdog } from './watchdog.ts';

/** Settings of a {@link Link}. */
export interface LinkOptions {
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
  readonly clock: Clock;
  /**
   * Finds out where to connect, and as whom, and writes it into the client's options; before each attempt. `stopped` is
   * aborted when the link is stopped.
   */
  readonly prepare?: ((client: RedisClient, stopped: AbortSignal) => Promise<void>) | undefined;
  /** Checks, after the handshake, that this is the server that was meant. */
  readonly confirm?: ((client: RedisClient) => Promise<void>) | undefined;
}

/** What a link tells. */
export interface LinkListener {
  /** Commands can be sent. `attempt` is how many it took, from 1. */
  onUp(attempt: number): void;
  /** The link broke, or an attempt failed. Another attempt follows, unless `stop` is called. `cause` is sanitised. */
  onDown(cause: Error, attempt: number): void;
}

/** The first delay is up to this; each further one up to twice as long. */
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 5000;

/**
 * Keeps one client connected. Reconnecting and its pace are ours: ioredis is told to give up at once, so that a broken
 * link fails what was in flight, and nothing is ever sent twice or answered by another's reply.
 *
 * ```
 * preparing   nothing is open; an attempt begins: where to connect, and as whom, is being found out
 * trying      an attempt is under way: the socket opens, the handshake runs, the server is checked
 * up          commands can be sent
 * ending      the socket was told to close
 * pausing     nothing is open; the next attempt follows after a delay: exponential, fully jittered, 5 s at most; that of
 *             a first attempt once hurry() is called
 * stopped     for good
 *
 * preparing -> trying | pausing      it is known | it could not be found out
 * trying -> up | ending | pausing    the handshake succeeded | was refused or fell silent | the socket closed
 * up -> ending | pausing             drop(), or silence | the socket closed
 * ending -> pausing                  the socket closed
 * pausing -> preparing               after the delay
 * any -> stopped                     stop()
 * ```
 */
export class Link {
  readonly client: RedisClient;
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  #state: 'preparing' | 'trying' | 'up' | 'ending' | 'pausing' | 'stopped' = 'pausing';
  /** Attempts since it was last up. */
  #attempt = 0;
  /** What this attempt, or this life of the socket, ended by. */
  #cause: Error | undefined;
  #watchdog: Watchdog | undefined;
  #delay: Timer | undefined;
  /** When the next attempt follows, while it pauses. */
  #dueMs = -Infinity;
  /** What this attempt is to end by as soon as there is a socket to close. */
  #doom: Error | undefined;
  readonly #stopped = new AbortController();
  #stopping: Promise<void> | undefined;
  /** What `stop` waits for, once it has been called while a socket was open. */
  #onEnded: (() => void) | undefined;

  constructor(client: RedisClient, options: LinkOptions, listener: LinkListener) {
    this.client = client;
    this.#options = options;
    this.#listener = listener;
    client.on('error', (error) => {
      this.#onError(error);
    });
    client.on('connect', () => {
      this.#onConnect();
    });
    client.on('ready', () => {
      this.#onReady();
    });
    client.on('end', () => {
      this.#onEnd();
    });
  }

  /** Makes the first attempt. */
  start(): void {
    this.#try();
  }

  /** Breaks the link, so that it is made anew. */
  drop(cause: Error): void {
    if (this.#state !== 'up' && this.#state !== 'trying') return;
    if (!this.#watchdog) {
      // Its socket may not be there yet; the one that is may be the last attempt's.
      this.#doom = cause;
      return;
    }
    this.#cause = cause;
    this.#state = 'ending';
    this.client.stream.destroy();
  }

  /** Cuts a long delay short: there is reason to think that the next attempt succeeds. */
  hurry(): void {
    if (this.#state === 'pausing') this.#tryWithin(FIRST_DELAY_MS);
  }

  /** Closes the link. Resolves when its socket is gone. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #stop(): Promise<void> {
    const open = this.#state === 'trying' || this.#state === 'up' || this.#state === 'ending';
    this.#state = 'stopped';
    this.#stopped.abort();
    this.#delay?.cancel();
    this.#watchdog?.stop();
    if (!open) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEnded = resolve;
      this.client.disconnect();
    });
  }

  #try(): void {
    this.#attempt += 1;
    this.#cause = undefined;
    this.#doom = undefined;
    const { prepare } = this.#options;
    if (!prepare) {
      this.#connect();
      return;
    }
    this.#state = 'preparing';
    prepare(this.client, this.#stopped.signal).then(
      () => {
        if (this.#state === 'preparing') this.#connect();
      },
      (error: unknown) => {
        if (this.#state !== 'preparing') return;
        this.#cause = sanitise(error as Error);
        this.#pause();
      },
    );
  }

  #connect(): void {
    this.#state = 'trying';
    // Its outcome comes as an event: `ready`, or `end`.
    this.client.connect().catch(() => undefined);
  }

  #onError(error: Error): void {
    // What ended it is known; more errors follow from that.
    if (this.#state !== 'trying' && this.#state !== 'up') return;
    // The first error tells why; those after it tell what followed from it.
    this.#cause ??= sanitise(error);
    // The handshake goes on after a refused SELECT, in the wrong database; and after any error on a link that is up,
    // replies may no longer match their commands.
    if (this.#state === 'up' || isReply(error)) this.drop(this.#cause);
  }

  #onConnect(): void {
    if (this.#state !== 'trying') return;
    const { heartbeatMs, deadAfterMs, clock } = this.#options;
    pace(this.client.stream, clock);
    this.#watchdog = new Watchdog(this.client.stream, {
      heartbeatMs,
      deadAfterMs,
      clock,
      ping: () => this.client.ping(),
      onDead: (silentMs) => {
        this.drop(new Error(`it did not answer for ${(silentMs / 1000).toFixed(1)} s`));
      },
    });
    this.#watchdog.start();
    if (this.#doom) this.drop(this.#doom);
  }

  #onReady(): void {
    if (this.#state !== 'trying') return;
    const { confirm } = this.#options;
    if (!confirm) {
      this.#up();
      return;
    }
    const attempt = this.#attempt;
    const current = (): boolean => this.#state === 'trying' && this.#attempt === attempt;
    confirm(this.client).then(
      () => {
        if (current()) this.#up();
      },
      (error: unknown) => {
        if (current()) this.drop(sanitise(error as Error));
      },
    );
  }

  #up(): void {
    this.#state = 'up';
    this.#cause = undefined;
    this.#watchdog?.answered();
    const attempt = this.#attempt;
    this.#attempt = 0;
    this.#listener.onUp(attempt);
  }

  #onEnd(): void {
    this.#watchdog?.stop();
    this.#watchdog = undefined;
    if (this.#state === 'stopped') {
      this.#onEnded?.();
      return;
    }
    this.#cause ??= this.#doom ?? hungUp(this.#state);
    this.#pause();
  }

  #pause(): void {
    const cause = this.#cause ?? new Error('unknown');
    this.#state = 'pausing';
    this.#dueMs = Infinity;
    this.#tryWithin(Math.min(FIRST_DELAY_MS * 2 ** this.#attempt, LONGEST_DELAY_MS));
    this.#listener.onDown(cause, this.#attempt);
  }

  /** Schedules the next attempt, unless it follows sooner anyway. */
  #tryWithin(longestMs: number): void {
    const { clock } = this.#options;
    const delayMs = Math.random() * longestMs;
    if (clock.now() + delayMs >= this.#dueMs) return;
    this.#dueMs = clock.now() + delayMs;
    this.#delay?.cancel();
    this.#delay = clock.after(delayMs, () => {
      this.#try();
    });
  }
}

/** The cause of an end that came without an error. */
function hungUp(state: string): Error {
  const error = new Error('Redis closed the connection');
  return state === 'trying' ? Object.assign(error, { code: 'ECONNRESET' }) : error;
}
