/** The facade: checks arguments, and hands each call to the part that does it. */
import {
  type CeleryApp,
  checkBag,
  checkIds,
  checkState,
  checkTimeout,
  checkWait,
  type FailureOptions,
  type MarkOptions,
  type StartedOptions,
  type StoreOptions,
  type MetaWaitOptions,
  type Propagating,
  type WaitOptions,
  type WatchOptions,
} from './arguments.ts';
import { settle, waitForAll, waitForAny } from './awaiting.ts';
import type { ChordOutcome } from './chords/chords.ts';
import type { Clock } from './clock.ts';
import type { WaitEnd } from './consumer/channel.ts';
import type { BackendStats, Warnings } from './diagnostics.ts';
import { BackendClosedError } from './errors.ts';
import { checkId, isId } from './keys.ts';
import type { GroupTuple, ResultTuple, TaskMeta, TaskRequest } from './meta.ts';
import type { ResolvedOptions } from './options.ts';
import { assemble, type Parts, statsOf } from './parts.ts';
import type { Driver, StoreOutcome } from './ports.ts';
import type { Settled, Succeeded, TimedOut } from './settled.ts';
import { PROPAGATE_STATES, type TaskState } from './states.ts';
import { Stream } from './stream.ts';
import { inParts } from './turns.ts';
import type { MarkOutcome } from './worker.ts';

/** Milliseconds that `close` gives what is on its way to Redis, when all other time is up. */
const GRACE_MS = 250;

/**
 * A result backend: stores results of tasks, reads them, and waits for them.
 *
 * open -> closed
 *
 * @see celery.backends.base.Backend
 */
export abstract class BaseBackend implements AsyncDisposable {
  /** Private, so that neither JSON nor `console.log` shows its settings, which may hold a password. */
  readonly #app: CeleryApp;
  /** The serializer's name. */
  readonly serializer: string;
  readonly maxCachedResults: number;
  /** Whether those who run tasks store STARTED. */
  readonly trackStarted: boolean;
  readonly #options: ResolvedOptions;
  readonly #parts: Parts;
  #closing: Promise<void> | undefined;

  /**
   * @param options - complete and checked; `open` makes the driver
   */
  protected constructor(app: CeleryApp, options: ResolvedOptions, open: (warnings: Warnings) => Driver) {
    this.#parts = assemble(app, options, open);
    this.#app = app;
    this.serializer = this.#parts.serializer;
    this.maxCachedResults = options.maxCachedResults;
    this.trackStarted = options.trackStarted;
    this.#options = options;
  }

  get app(): CeleryApp {
    return this.#app;
  }

  get url(): string {
    return this.#parts.driver.uri(false);
  }

  /** The time that deadlines are measured by. */
  get clock(): Clock {
    return this.#options.clock;
  }

  /**
   * Stores the result of a task and publishes it, unless a SUCCESS is stored already.
   *
   * Sends one EVALSHA: the check, SETEX (or SET) and PUBLISH in one step. Stores of one task leave in the order of
   * their calls; what fails for want of Redis is tried again by `retryPolicy`.
   *
   * @param result - the value; for FAILURE, RETRY and REVOKED the error. `undefined` is stored as null
   * @param state - any of Celery's states, or one of the application's own
   * @returns `'stored'`; `'kept'` when a SUCCESS was there; `'unannounced'` when this user may store but not publish
   * @throws InvalidArgumentError, EncodeError before anything is sent
   * @throws BackendStoreError when it was not stored; `CELERY_VALUE_TOO_LARGE` before anything is sent
   * @see celery.backends.base.Backend.store_result
   */
  async storeResult(
    taskId: string,
    result: unknown,
    state: TaskState,
    options: StoreOptions = {},
  ): Promise<StoreOutcome> {
    checkState(state);
    checkBag('options', options);
    this.#check(taskId);
    // Without a pause where none is needed: the value is taken as it is now, and close() counts the store as accepted.
    if (!this.#parts.loader.done) await this.#parts.loader.store({ taskId, state });
    return this.#parts.writer.write(taskId, result, state, options);
  }

  /**
   * Tells of a running task, for those who watch it: stores `meta` as the result in a state of the task's own, such as
   * PROGRESS. Like Celery's it stores whether results are ignored or not. Sends what `storeResult` sends, which keeps a
   * SUCCESS and the order of the calls, so that nobody has to wait for this; a rejection is to be handled all the same.
   *
   * @param meta - what PROGRESS tells: `{ current: 3, total: 10 }`
   * @throws as {@link storeResult}
   * @see celery.app.task.Task.update_state
   */
  updateState(taskId: string, state: TaskState, meta?: unknown, options?: StartedOptions): Promise<StoreOutcome> {
    return this.storeResult(taskId, meta, state, options);
  }

  /**
   * Waits until the task is ready and returns its value: from the cache at once, else the moment it is published.
   * RETRY, PROGRESS and other states do not end it.
   *
   * Sends SUBSCRIBE, one GET once that is confirmed, and UNSUBSCRIBE after the last waiter of the task has left. A wait
   * without a limit survives any outage. The value is shared between all who wait: treat it as read-only.
   *
   * @throws the task's own error: RemoteError, TaskRevokedError, ChordError, or a registered class
   * @throws TimeoutError, BackendClosedError, DecodeError, BackendGetMetaError; the reason of `signal`
   * @see celery.result.AsyncResult.get
   */
  waitFor<T = unknown>(taskId: string, options?: WaitOptions & Propagating): Promise<T>;
  waitFor<T = unknown>(taskId: string, options: WaitOptions): Promise<T | Error>;
  async waitFor<T = unknown>(taskId: string, options: WaitOptions = {}): Promise<T | Error> {
    const begun = this.#begin(taskId, options);
    const { status, result } = this.#parts.waiting.finish(taskId, begun instanceof Promise ? await begun : begun);
    if (PROPAGATE_STATES.has(status) && options.propagate !== false) throw result;
    return result as T;
  }

  /** As {@link waitFor}, but returns the whole ready meta, a failed one too. */
  async waitForMeta(taskId: string, options: MetaWaitOptions = {}): Promise<TaskMeta> {
    const begun = this.#begin(taskId, options);
    return this.#parts.waiting.finish(taskId, begun instanceof Promise ? await begun : begun);
  }

  /**
   * Subscribes to a task that is about to be sent, so that its first wait finds the subscription there, or the result:
   * call it, then send. Resolves when the subscription is confirmed, or after 100 ms; then it goes on by itself.
   *
   * The channel, then the SUCCESS that comes over it, is held for 60 s, until the first wait or `forget`; of more than
   * 10,000 the oldest go, of more than `maxCachedBytes` the oldest results. A wait that finds the channel held costs one
   * GET; so it reads a failure, which is not held since a SUCCESS may replace it. A wait that finds nothing held costs one
   * SUBSCRIBE and one GET, as without this; no result is lost.
   *
   * Never rejects: with `ignoreResult`, after `close`, for a result that is known, and for what is no task id it does
   * nothing. Sends SUBSCRIBE, and UNSUBSCRIBE once the result is there or nobody came.
   *
   * @see celery.backends.redis.RedisBackend.on_task_call
   */
  async onTaskCall(taskId: string): Promise<void> {
    if (this.#closing || this.#options.ignoreResult || !isId(taskId)) return;
    await this.#parts.waiting.prepare(taskId);
  }

  /**
   * What becomes of a task: its value or its error, to be told apart by `status`; `TIMEOUT` when it was not ready in time.
   *
   * Sends what `waitFor` sends.
   *
   * @throws what says nothing of the task: BackendClosedError, DecodeError, BackendGetMetaError; the reason of `signal`
   */
  settle<T = unknown>(taskId: string, options: MetaWaitOptions = {}): Promise<Settled<T> | TimedOut> {
    return settle<T>(this, taskId, options);
  }

  /**
   * Every state of a task that is seen, PROGRESS with its data, the ready one last, which is no error if the task failed.
   * The present state comes first, if one is stored. One limit bounds it, from the first `next` on; whoever leaves, also
   * by `return` while a `next` is pending, ends the wait and its subscription at once.
   *
   * A reader who is slow keeps nobody: of more than 100 states that it left unread the oldest are dropped, never the
   * ready one. Sends what `waitFor` sends.
   *
   * @throws TimeoutError, BackendClosedError, DecodeError, BackendGetMetaError after what was seen; the reason of `signal`
   */
  watch(taskId: string, options: WatchOptions = {}): AsyncGenerator<TaskMeta, void, undefined> {
    return new Stream((left) => this.#watch(taskId, options, left));
  }

  /**
   * What becomes of many tasks, each once, as they become ready; failed ones are no errors. One limit bounds them all, from
   * the first `next` on; whoever stops early, also by `return` while a `next` is pending, leaves nothing behind.
   *
   * Sends MGET for those not known, then SUBSCRIBE and GET for those that were not ready.
   *
   * @throws TimeoutError naming the first task that is not ready; else as {@link settle}
   * @see celery.backends.base.Backend.get_many, with push in the place of polls
   */
  asCompleted<T = unknown>(
    taskIds: readonly string[],
    options: MetaWaitOptions = {},
  ): AsyncGenerator<Settled<T>, void, undefined> {
    return new Stream((left) => this.#asCompleted<T>(taskIds, options, left));
  }

  /**
   * The values of many tasks, in the order of the ids. The first task that fails, in the order of completion, ends it with
   * its error. Sends what `asCompleted` sends.
   *
   * @throws as {@link waitFor}; TimeoutError names the first task that is not ready
   * @see celery.result.ResultSet.join_native
   */
  waitForAll<T = unknown>(taskIds: readonly string[], options?: WaitOptions & Propagating): Promise<T[]>;
  waitForAll<T = unknown>(taskIds: readonly string[], options: WaitOptions): Promise<(T | Error)[]>;
  waitForAll<T = unknown>(taskIds: readonly string[], options: WaitOptions = {}): Promise<(T | Error)[]> {
    return waitForAll<T>(this, taskIds, options);
  }

  /**
   * The first task that is ready, with its value, or with `propagate: false` its error; the other waits end. Of several that
   * are ready the first in the order of the ids. Sends what `asCompleted` sends.
   *
   * @throws as {@link waitForAll}; InvalidArgumentError for no ids at all
   */
  waitForAny<T = unknown>(taskIds: readonly string[], options?: WaitOptions & Propagating): Promise<Succeeded<T>>;
  waitForAny<T = unknown>(taskIds: readonly string[], options: WaitOptions): Promise<Settled<T>>;
  waitForAny<T = unknown>(taskIds: readonly string[], options: WaitOptions = {}): Promise<Settled<T>> {
    return waitForAny<T>(this, taskIds, options);
  }

  /** The state of a task; PENDING when nothing is stored. Sends GET, unless the result is known. */
  async getStatus(taskId: string): Promise<TaskState> {
    return (await this.#read(taskId)).status;
  }

  /** As {@link getStatus}. */
  getState(taskId: string): Promise<TaskState> {
    return this.getStatus(taskId);
  }

  /** The value of a task, its error when it failed or is retried, null when nothing is stored. Sends GET. */
  async getResult<T = unknown>(taskId: string): Promise<T> {
    return (await this.getTaskMeta(taskId)).result as T;
  }

  /** The traceback text of a failed task, else null. Sends GET. */
  async getTraceback(taskId: string): Promise<string | null> {
    return (await this.#read(taskId)).traceback ?? null;
  }

  /** The results of the tasks that this one sent, null when none are known. Sends GET. */
  async getChildren(taskId: string): Promise<readonly ResultTuple[] | null> {
    return (await this.#read(taskId)).children ?? null;
  }

  /**
   * The whole meta of a task: `{ status: 'PENDING', result: null }` when nothing is stored. Sends GET, unless the
   * result is known.
   *
   * @throws BackendGetMetaError, DecodeError
   * @see celery.backends.base.Backend.get_task_meta
   */
  async getTaskMeta(taskId: string): Promise<TaskMeta> {
    return this.#parts.codec.present(await this.#read(taskId), taskId);
  }

  /** The metas of many tasks by id, in the order of the ids, as they are now. Sends MGET for those not known. */
  async getMany(taskIds: readonly string[]): Promise<Map<string, TaskMeta>> {
    this.#checkAll(taskIds);
    const ids = taskIds.slice();
    if (!this.#parts.loader.done) await this.#parts.loader.read('', 'results');
    const metas = await this.#parts.reader.readMany(ids);
    await inParts([...metas], (part) => {
      for (const [taskId, meta] of part) metas.set(taskId, this.#parts.codec.present(meta, taskId));
    });
    return metas;
  }

  /** Reads a meta anew, past the cache, and keeps it there if it is a SUCCESS. Sends GET. */
  async reloadTaskResult(taskId: string): Promise<TaskMeta> {
    this.#check(taskId);
    if (!this.#parts.loader.done) await this.#parts.loader.read(taskId);
    return this.#parts.codec.present(await this.#parts.reader.reload(taskId), taskId);
  }

  /** Whether the result is known, so that reading it or waiting for it costs no Redis call. */
  isCached(taskId: string): boolean {
    checkId(taskId);
    return this.#parts.cache.has(taskId);
  }

  /**
   * Deletes a result, and what is held of it. Waits for it go on: the task may run again. Sends DEL, one for up to 100
   * calls of a turn.
   */
  async forget(taskId: string): Promise<void> {
    this.#check(taskId);
    this.#parts.consumer.holds.drop(taskId);
    await this.#parts.reader.forget(taskId);
  }

  /**
   * Saves which results belong together, in the place of what was saved before. Sends SETEX (or SET) and PUBLISH in one
   * EVALSHA.
   *
   * @param group - a GroupResult or its tuple
   * @throws InvalidArgumentError, EncodeError, BackendStoreError
   * @see celery.backends.base.Backend.save_group
   */
  async saveGroup(groupId: string, group: GroupTuple | { asTuple(): ResultTuple }): Promise<StoreOutcome> {
    this.#check(groupId);
    if (!this.#parts.loader.done) await this.#parts.loader.store({ taskId: groupId, state: '' });
    return this.#parts.groups.save(groupId, group);
  }

  /** The tuple of a saved group, null when there is none. Sends GET. @throws BackendGetMetaError, DecodeError */
  async restoreGroup(groupId: string): Promise<GroupTuple | null> {
    this.#check(groupId);
    if (!this.#parts.loader.done) await this.#parts.loader.read(groupId, `group ${groupId}`);
    return this.#parts.groups.restore(groupId);
  }

  /** Deletes a saved group, and no result of it. Sends DEL. */
  async deleteGroup(groupId: string): Promise<void> {
    this.#check(groupId);
    await this.#parts.groups.delete(groupId);
  }

  /**
   * A task begins: stores STARTED, unless its results are ignored. Sends what `storeResult` sends.
   *
   * @param meta - Celery writes `{ pid, hostname }`
   * @see celery.backends.base.Backend.mark_as_started
   */
  async markAsStarted(taskId: string, meta: object, options: StartedOptions = {}): Promise<MarkOutcome> {
    await this.#ready(taskId, 'STARTED', options);
    return this.#parts.worker.started(taskId, meta, options);
  }

  /**
   * A task succeeded: stores SUCCESS, unless its results are ignored, then returns its part of the chord, if it is in
   * one, ignored or not. Sends what `storeResult` and `onChordPartReturn` send.
   *
   * @throws EncodeError before anything is sent; BackendStoreError
   * @throws what `onChordPartReturn` throws, with the result stored
   * @see celery.backends.base.Backend.mark_as_done
   */
  async markAsDone(taskId: string, result: unknown, options: MarkOptions = {}): Promise<MarkOutcome> {
    await this.#ready(taskId, 'SUCCESS', options);
    return this.#parts.worker.done(taskId, result, options);
  }

  /**
   * A task failed: stores FAILURE, unless it is ignored; returns its part of the chord; does both for all that follows
   * it in its chain and will never run, the bodies of chords there included; and sends its error callbacks
   * (`app.callErrbacks`), whose results become its children: FAILURE is stored once more, with them. Sends what
   * `storeResult` and `onChordPartReturn` send.
   *
   * @param error - an error; one that was read from a backend is stored as it was
   * @throws as `markAsDone`, and what `app.callErrbacks` throws: the first of it, after everything was done
   * @see celery.backends.base.Backend.mark_as_failure
   */
  async markAsFailure(taskId: string, error: unknown, options: FailureOptions = {}): Promise<MarkOutcome> {
    await this.#ready(taskId, 'FAILURE', options);
    return this.#parts.worker.failure(taskId, error, options);
  }

  /**
   * A task will be tried again: stores RETRY, unless it is ignored. Sends what `storeResult` sends.
   *
   * @param error - why; null for no error
   * @see celery.backends.base.Backend.mark_as_retry
   */
  async markAsRetry(taskId: string, error: unknown, options: MarkOptions = {}): Promise<MarkOutcome> {
    await this.#ready(taskId, 'RETRY', options);
    return this.#parts.worker.retry(taskId, error, options);
  }

  /**
   * A task was revoked: stores REVOKED with a TaskRevokedError, unless it is ignored, and returns its part of the chord.
   * Sends what `storeResult` and `onChordPartReturn` send.
   *
   * @param reason - Celery writes `'revoked'`, `'expired'` or `'terminated'`
   * @throws as `markAsDone`
   * @see celery.backends.base.Backend.mark_as_revoked
   */
  async markAsRevoked(taskId: string, reason = '', options: MarkOptions = {}): Promise<MarkOutcome> {
    await this.#ready(taskId, 'REVOKED', options);
    return this.#parts.worker.revoked(taskId, reason, options);
  }

  /**
   * The part of a task in its chord. The methods above call it; it is for results that are stored already. The last part
   * of a header sends the body (`app.applySignature`) with the list of the results, or fails it with a ChordError. A part
   * that is returned twice counts once; one that finds the chord complete waits for who completes it.
   *
   * Sends one EVALSHA; to complete GET, ZRANGE (or LRANGE) and DEL; for a header with groups MGET and SUBSCRIBE.
   *
   * @param request - with `id`, `group` and `chord`; else it is no part of a chord, and nothing is sent
   * @throws ImproperlyConfigured without `app.applySignature`, before anything is sent
   * @throws BackendError `CELERY_CHORD_UNSENT` when the body could not be sent: a part that is returned again sends it
   * @throws EncodeError, BackendStoreError, BackendClosedError
   * @see celery.backends.redis.RedisBackend.on_chord_part_return
   */
  async onChordPartReturn(request: TaskRequest, state: TaskState, result: unknown): Promise<ChordOutcome> {
    checkState(state);
    checkBag('request', request);
    this.#checkOpen();
    if (!this.#parts.loader.done) await this.#parts.loader.store({ taskId: request.id ?? '', state });
    return this.#parts.worker.part(request, state, result);
  }

  /**
   * How many tasks the header of a chord has, to be told before the last of them is sent. Sends SETEX (or SET) and
   * PUBLISH in one EVALSHA.
   *
   * @throws InvalidArgumentError, BackendStoreError
   * @see celery.backends.redis.RedisBackend.set_chord_size
   */
  async setChordSize(groupId: string, size: number): Promise<StoreOutcome> {
    this.#check(groupId);
    return this.#parts.chords.setSize(groupId, size);
  }

  /**
   * One more task joins a header that is running; to be told by one of its tasks, before that ends. Sends INCRBY, and
   * does not try again, since it may have been counted.
   *
   * @returns how many joined so far
   * @throws BackendStoreError
   * @see celery.backends.redis.RedisBackend.add_to_chord
   */
  async addToChord(groupId: string): Promise<number> {
    this.#check(groupId);
    return this.#parts.chords.add(groupId);
  }

  /**
   * To be told before the header of a chord is sent: saves it if it has groups in it, whose shape its results keep.
   * Sends what `saveGroup` sends, or nothing.
   *
   * @param header - a GroupResult or its tuple
   * @returns `'simple'` when there was nothing to save
   * @see celery.backends.redis.RedisBackend.apply_chord
   */
  async applyChord(header: GroupTuple | { asTuple(): ResultTuple }): Promise<StoreOutcome | 'simple'> {
    this.#checkOpen();
    if (!this.#parts.loader.done) await this.#parts.loader.store({ taskId: '', state: '' });
    return this.#parts.groups.saveHeader(header);
  }

  /** Connects now, to fail at boot: within `timeout` seconds, by default `connectTimeout`. @throws BackendError */
  async connect(options: { readonly timeout?: number | undefined } = {}): Promise<void> {
    checkBag('options', options);
    const timeoutMs = checkTimeout(options.timeout ?? this.#options.connectTimeout) ?? Infinity;
    this.#checkOpen();
    await Promise.all([this.#parts.loader.within(timeoutMs), this.#parts.driver.connect(timeoutMs / 1000)]);
  }

  /** Whether Redis answers: milliseconds of a round trip. Sends PING. @throws BackendError */
  async ping(): Promise<number> {
    this.#checkOpen();
    return this.#parts.driver.ping();
  }

  /** Figures of this backend, as of now. */
  stats(): BackendStats {
    return statsOf(this.#parts);
  }

  /** The URL, with the password as `**` unless asked for. */
  asUri(includePassword = false): string {
    return this.#parts.driver.uri(includePassword);
  }

  /**
   * Rejects waits with BackendClosedError, gives stores `closeTimeout` to end, closes both connections. Stores that did
   * not end reject with BackendStoreError, their cause BackendClosedError, and one warning (`CELERY_STORES_LOST`) names
   * the first of them. What is on its way to Redis then has 0.25 s more; then the sockets are destroyed. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const ended = this.#parts.waiting.close();
    this.#parts.patient?.close();
    const { clock, closeTimeout } = this.#options;
    const untilMs = clock.now() + closeTimeout * 1000;
    const leftMs = (): number => Math.max(0, untilMs - clock.now());
    // Stores that wait for the serializer were accepted as well.
    await this.#parts.loader.close(leftMs());
    // First the marks, each of which is several stores, one after another.
    await this.#parts.worker.close(leftMs());
    await this.#parts.storer.close(leftMs(), () => this.#parts.driver.close(leftMs() + GRACE_MS));
    await ended;
    this.#parts.cache.clear();
  }

  async *#watch(taskId: string, options: WatchOptions, left: AbortSignal): AsyncGenerator<TaskMeta, void, undefined> {
    checkId(taskId);
    const timeoutMs = checkWait(options);
    this.#checkOpen();
    yield* this.#parts.waiting.watch(taskId, timeoutMs, options.signal, left);
  }

  async *#asCompleted<T>(
    taskIds: readonly string[],
    options: MetaWaitOptions,
    left: AbortSignal,
  ): AsyncGenerator<Settled<T>, void, undefined> {
    const timeoutMs = checkWait(options);
    this.#checkAll(taskIds);
    yield* this.#parts.waiting.many<T>(taskIds, timeoutMs, options, left);
  }

  #begin(taskId: string, options: MetaWaitOptions): WaitEnd | Promise<WaitEnd> {
    checkId(taskId);
    const timeoutMs = checkWait(options);
    this.#checkOpen();
    return this.#parts.waiting.begin(taskId, timeoutMs, options);
  }

  async #ready(taskId: string, usual: TaskState, options: MarkOptions): Promise<void> {
    checkBag('options', options);
    this.#check(taskId);
    if (!this.#parts.loader.done) await this.#parts.loader.store({ taskId, state: options.state ?? usual });
  }

  #check(id: string): void {
    checkId(id);
    this.#checkOpen();
  }

  #checkAll(ids: readonly string[]): void {
    checkIds(ids);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#closing) throw new BackendClosedError();
  }

  /** No async function, which would cost each read three promises. @throws at once what is wrong with the call */
  #read(taskId: string): Promise<TaskMeta> {
    this.#check(taskId);
    const { loader, reader } = this.#parts;
    return loader.done ? reader.read(taskId) : loader.read(taskId).then(() => reader.read(taskId));
  }
}
