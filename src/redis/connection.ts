/** One connection to Redis and the calls that are made over it. */
import type { Call, Caller, ConnectionState, ReadyListener } from './call.ts';
import { BackendClosedError, BackendError } from '../errors.ts';
import type { RedisClient } from './client.ts';
import { ConnectionNews, type NewsSource, userOf } from './connection-news.ts';
import { withDeadline } from './deadline.ts';
import { advice, broken, forUser, isLoginRefusal, isReply, refused, replyOf, sanitise, unavailable } from './errors.ts';
import { Link, type LinkOptions } from './link.ts';
import { ReadyWaiters } from './ready-waiters.ts';

/** Settings of a {@link Connection}. */
export interface ConnectionOptions extends NewsSource {
  /** Makes a client that does not connect before it is told to, nor reconnect by itself. */
  readonly open: () => RedisClient;
  /** See {@link LinkOptions.prepare}. */
  readonly prepare?: LinkOptions['prepare'];
  /** See {@link LinkOptions.confirm}. */
  readonly confirm?: ((client: RedisClient) => Promise<void>) | undefined;
  /** Whether its login was ever accepted, on whichever of the connections that share it. */
  readonly login: { accepted: boolean };
  /** How long a call may take, from its acceptance: waiting for the connection included. */
  readonly timeoutMs: number;
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
}

const NO_ANSWER = 'no answer yet; check the address, and that both sides or neither use TLS';
/** How long a refused login stands before a call may try it again. */
const REFUSED_FOR_MS = 3000;

/**
 * A connection is made at its first use and made anew whenever it breaks, until it is closed. Calls wait for it, each to
 * its own deadline; those in flight when it breaks are rejected, and never sent again from here.
 *
 * ```
 * idle        nothing was asked yet
 * connecting  the first attempt is under way; calls wait
 * ready       calls are sent
 * lost        the link is down; calls wait while attempts follow one another
 * refused     the login was refused before it was ever accepted, here or elsewhere; calls are rejected at once
 * closed      for good
 *
 * idle -> connecting               the first call
 * connecting -> ready | lost       the attempt succeeded | failed
 * ready -> lost -> ready           the link broke; an attempt succeeded
 * connecting | lost -> refused     only before it was ever accepted; later a refused login is an outage like any other
 * refused -> connecting            a call, after a pause, or once the login was accepted elsewhere
 * any -> closed                    close()
 * ```
 */
export class Connection implements Caller {
  readonly isCluster: boolean = false;
  readonly #options: ConnectionOptions;
  readonly #news: ConnectionNews;
  readonly #waiters: ReadyWaiters;
  /** Calls with a deadline. */
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #readyListeners: ReadyListener[] = [];
  readonly #lostListeners: (() => void)[] = [];
  readonly #clientListeners: ((client: RedisClient) => void)[] = [];
  #state: ConnectionState = 'idle';
  #link: Link | undefined;
  /** Why the last attempt failed or the link broke; sanitised. */
  #cause: Error | undefined;
  #refusedAtMs = 0;
  #readies = 0;
  /** Whether calls that waited for the connection are about to be sent. */
  #handing = false;
  #closing: Promise<void> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#waiters = new ReadyWaiters(options.clock);
    this.#news = new ConnectionNews(options);
  }

  /** See {@link Connection}. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Who it logs in as, for messages. */
  get user(): string {
    return userOf(this.#link?.client);
  }

  /** How often it was made anew. */
  get reconnects(): number {
    return Math.max(0, this.#readies - 1);
  }

  /** Calls `listener` whenever the connection has become ready, before the calls that wait for it are sent. */
  onReady(listener: ReadyListener): void {
    this.#readyListeners.push(listener);
  }

  /** Calls `listener` whenever the connection is lost, once an outage. */
  onLost(listener: () => void): void {
    this.#lostListeners.push(listener);
  }

  /** Calls `listener` with each client that is made, before it connects. */
  onClient(listener: (client: RedisClient) => void): void {
    this.#clientListeners.push(listener);
  }

  /** The error of a call that cannot be made because Redis is out of reach. */
  outage(): BackendError {
    const reason = this.#cause ? advice(this.#cause) : NO_ANSWER;
    const whose = forUser(this.#cause, this.user);
    return unavailable(`Redis at ${this.#options.address} is out of reach${whose} (${reason}).`, this.#cause);
  }

  /**
   * The client, once it is ready. The first call connects.
   *
   * @throws BackendError `CELERY_BACKEND_UNAVAILABLE` after `timeoutMs`; `CELERY_BACKEND_REFUSED` at once when the login
   * is refused and was never accepted
   * @throws BackendClosedError
   */
  whenReady(timeoutMs: number = this.#options.timeoutMs): Promise<RedisClient> {
    const ready = this.#ready();
    if (ready) return Promise.resolve(ready);
    if (this.#state === 'closed') return Promise.reject(new BackendClosedError());
    if (this.#isRefused()) return Promise.reject(this.#refusal());
    if (this.#state === 'idle' || this.#state === 'refused') this.#begin();
    return this.#waiters.wait(timeoutMs, () => this.outage());
  }

  /**
   * Makes one call: waits for the connection, sends, and bounds the whole by its timeout, with a second more for each
   * MiB that moves.
   *
   * @throws BackendError `CELERY_BACKEND_UNAVAILABLE` without an answer, `CELERY_BACKEND_REFUSED` when it is an error
   * @throws BackendClosedError
   */
  async run<T>(call: Call<T>): Promise<T> {
    const acceptedMs = this.#options.clock.now();
    const send = (client: RedisClient): Promise<T> => this.#send(client, call, acceptedMs);
    // In this turn where it can be, but not before those that came first.
    const ready = this.#handing ? undefined : this.#ready();
    const answer = ready ? send(ready) : this.whenReady(call.timeoutMs).then(send);
    if (!call.patient) this.#inFlight.add(answer);
    try {
      return await answer;
    } catch (error) {
      throw this.#translate(call, error as Error);
    } finally {
      this.#inFlight.delete(answer);
    }
  }

  /** Tries again soon, if it is lost: another connection has found that Redis is there again. */
  hurry(): void {
    this.#link?.hurry();
  }

  /** Breaks the link, if there is one, so that it is made anew. `cause` says why, in a few words. */
  drop(cause: string): void {
    this.#link?.drop(new Error(cause));
  }

  /**
   * Closes: rejects what was not sent yet, and waits for what is in flight, each to its deadline; after `graceMs`
   * milliseconds the socket is destroyed under it. Idempotent; a later call may only make that sooner.
   */
  close(graceMs?: number): Promise<void> {
    this.#closing ??= this.#close();
    if (graceMs === undefined || this.#inFlight.size === 0) return this.#closing;
    const timer = this.#options.clock.after(graceMs, () => void this.#link?.stop());
    return this.#closing.finally(() => {
      timer.cancel();
    });
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#waiters.reject(() => new BackendClosedError());
    await Promise.allSettled(this.#inFlight);
    await this.#link?.stop();
  }

  /** The client, unless its socket broke, which is still called ready until its events say otherwise. */
  #ready(): RedisClient | undefined {
    return this.#state === 'ready' && this.#link?.client.stream.writable ? this.#link.client : undefined;
  }

  #send<T>(client: RedisClient, call: Call<T>, acceptedMs: number): Promise<T> {
    const { clock, address } = this.#options;
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs;
    if (call.patient) return call.send(client);
    return withDeadline(client.stream, () => call.send(client), {
      clock,
      acceptedMs,
      timeoutMs,
      bytes: call.bytes ?? 0,
      late: () => unavailable(`Redis at ${address} did not answer ${call.what} within ${timeoutMs / 1000} s.`),
    });
  }

  #translate(call: Call<unknown>, error: Error): BackendError {
    if (error instanceof BackendError) return error;
    if (!isReply(error)) {
      if (this.#state === 'closed') return new BackendClosedError();
      const cause = this.#cause ?? sanitise(error);
      return broken(this.#options.address, call, this.#cause ? advice(cause) : cause.message, cause);
    }
    // This master has become a replica: connecting anew may find the new one.
    if (replyOf(error) === 'READONLY') this.#link?.drop(sanitise(error));
    return refused(call.what, error, { ...call, user: this.user });
  }

  #begin(): void {
    const { heartbeatMs, deadAfterMs, clock, prepare, confirm } = this.#options;
    const client = this.#options.open();
    for (const listener of this.#clientListeners) listener(client);
    this.#state = 'connecting';
    this.#link = new Link(
      client,
      { heartbeatMs, deadAfterMs, clock, prepare, confirm },
      { onUp: this.#onUp.bind(this, client), onDown: this.#onDown.bind(this) },
    );
    this.#link.start();
  }

  #onUp(client: RedisClient, attempt: number): void {
    if (this.#state === 'closed') return;
    this.#state = 'ready';
    this.#cause = undefined;
    this.#options.login.accepted = true;
    this.#readies += 1;
    const first = this.#readies === 1;
    this.#news.ready(attempt, first);
    for (const listener of this.#readyListeners) listener(first);
    this.#waiters.resolve(client);
    this.#handing = true;
    queueMicrotask(() => (this.#handing = false));
  }

  #onDown(cause: Error, attempt: number): void {
    if (this.#state === 'closed') return;
    this.#cause = cause;
    const first = this.#readies === 0;
    if (!this.#options.login.accepted && isLoginRefusal(cause)) {
      this.#refuse(attempt);
      return;
    }
    if (this.#state !== 'lost') {
      this.#state = 'lost';
      this.#news.lost(cause, attempt, first, this.user);
      for (const listener of this.#lostListeners) listener();
    }
    if (isLoginRefusal(cause)) this.#news.refusedAgain(cause, attempt, first, this.user);
  }

  /** Whether a call is not worth another attempt. */
  #isRefused(): boolean {
    const { login, clock } = this.#options;
    return this.#state === 'refused' && !login.accepted && clock.now() < this.#refusedAtMs + REFUSED_FOR_MS;
  }

  #refuse(attempt: number): void {
    this.#state = 'refused';
    this.#refusedAtMs = this.#options.clock.now();
    // Its socket is closed already; this ends the attempts.
    void this.#link?.stop();
    if (this.#cause) this.#news.refused(this.#cause, attempt);
    this.#waiters.reject(() => this.#refusal());
  }

  #refusal(): BackendError {
    const cause = this.#cause ?? new Error('refused');
    return new BackendError(
      `Redis at ${this.#options.address} refused the login${forUser(cause, this.user)} (${advice(cause)}).`,
      {
        code: 'CELERY_BACKEND_REFUSED',
        reply: isReply(cause) ? replyOf(cause) : undefined,
        cause,
      },
    );
  }
}
