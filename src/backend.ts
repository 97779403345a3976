/** The facade: the only file where the parts meet. */
import { ResultCache } from './cache.ts';
import { Codec } from './codec.ts';
import {
  type CeleryApp,
  checkIds,
  checkState,
  checkTimeout,
  checkWait,
  type StoreOptions,
  type WaitOptions,
} from './arguments.ts';
import { abortable } from './consumer/signals.ts';
import { type WaitEnd, WaitFailure } from './consumer/channel.ts';
import { Consumer } from './consumer/consumer.ts';
import { type BackendStats, Warnings } from './diagnostics.ts';
import { BackendClosedError, TimeoutError } from './errors.ts';
import { defaultExceptions } from './exceptions.ts';
import { checkId, createKeys, type Keys } from './keys.ts';
import { buildMeta, type ResultTuple, type TaskMeta } from './meta.ts';
import type { ResolvedOptions } from './options.ts';
import type { Driver, StoreOutcome } from './ports.ts';
import { Reader } from './reader.ts';
import { resolveSerializer } from './serializers/index.ts';
import { EXCEPTION_STATES, isReady, PROPAGATE_STATES, type TaskState } from './states.ts';
import { Storer } from './storer.ts';

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
  readonly #options: ResolvedOptions;
  readonly #driver: Driver;
  readonly #keys: Keys;
  readonly #codec: Codec;
  readonly #cache: ResultCache;
  readonly #reader: Reader;
  readonly #consumer: Consumer;
  readonly #storer: Storer;
  #closing: Promise<void> | undefined;

  /**
   * @param options - complete and checked; `open` makes the driver
   */
  protected constructor(app: CeleryApp, options: ResolvedOptions, open: (warnings: Warnings) => Driver) {
    const { clock, limits, maxCachedResults: maxEntries, maxCachedBytes: maxBytes, expires } = options;
    const serializer = resolveSerializer(options.serializer, options.acceptContent, limits);
    const warnings = new Warnings();
    const driver = open(warnings);
    this.#app = app;
    this.serializer = serializer.name;
    this.maxCachedResults = maxEntries;
    this.#options = options;
    this.#driver = driver;
    this.#keys = createKeys(options.globalKeyprefix);
    this.#codec = new Codec({ serializer, exceptions: options.exceptions ?? defaultExceptions, ...limits });
    this.#cache = new ResultCache({ maxEntries, maxBytes, expires }, clock);
    this.#reader = new Reader(driver.store, this.#keys, this.#codec, this.#cache);
    this.#storer = new Storer(options.retryPolicy, options.commandTimeout * 1000, clock);
    this.#consumer = new Consumer({
      store: driver.store,
      source: driver.source,
      keys: this.#keys,
      cache: this.#cache,
      clock,
      warnings,
      decode: (payload, taskId) => this.#codec.decodeMeta(payload, taskId),
      backstopMs: options.backstop * 1000,
      lastLookMs: options.lastLook * 1000,
    });
  }

  get app(): CeleryApp {
    return this.#app;
  }

  get url(): string {
    return this.#driver.uri(false);
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
    this.#check(taskId);
    // Without a pause where none is needed: the value is taken as it is now, and close() counts the store as accepted.
    if (!this.#codec.loaded) await this.#codec.load();
    const stored = EXCEPTION_STATES.has(state) ? this.#codec.encodeError(result, state) : { result, traceback: null };
    const meta = buildMeta({
      taskId,
      state,
      result: stored.result,
      traceback: options.traceback ?? stored.traceback,
      request: options.request,
      extended: this.#options.extended,
      now: this.#options.clock.wall(),
    });
    const key = this.#keys.task(taskId);
    const payload = this.#codec.encodeMeta(meta);
    const write = { key, payload, ttl: this.#options.expires, guard: this.#codec.guard };
    return this.#storer.store({ taskId, state, write: () => this.#driver.store.write(write) });
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
  waitFor<T = unknown>(taskId: string, options?: WaitOptions & { readonly propagate?: true | undefined }): Promise<T>;
  waitFor<T = unknown>(taskId: string, options: WaitOptions): Promise<T | Error>;
  async waitFor<T = unknown>(taskId: string, options: WaitOptions = {}): Promise<T | Error> {
    const timeoutMs = checkWait(taskId, options);
    this.#check();
    const known = this.#cache.get(taskId);
    if (known) {
      if (options.onMessage) await options.onMessage(known);
      return known.result as T;
    }
    if (!this.#codec.loaded) await this.#codec.load();
    const end = timeoutMs === 0 ? await this.#lookNow(taskId, options) : await this.#wait(taskId, timeoutMs, options);
    if (end instanceof WaitFailure) throw end.error();
    const meta = this.#codec.present(end, taskId);
    if (PROPAGATE_STATES.has(meta.status) && options.propagate !== false) throw meta.result;
    return meta.result as T;
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
    return this.#codec.present(await this.#read(taskId), taskId);
  }

  /** The metas of many tasks by id, in the order of the ids, as they are now. Sends MGET for those not known. */
  async getMany(taskIds: readonly string[]): Promise<Map<string, TaskMeta>> {
    checkIds(taskIds);
    this.#check();
    await this.#codec.load();
    const metas = await this.#reader.readMany(taskIds);
    for (const [taskId, meta] of metas) metas.set(taskId, this.#codec.present(meta, taskId));
    return metas;
  }

  /** Reads a meta anew, past the cache, and keeps it there if it is a SUCCESS. Sends GET. */
  async reloadTaskResult(taskId: string): Promise<TaskMeta> {
    this.#check(taskId);
    await this.#codec.load();
    return this.#codec.present(await this.#reader.reload(taskId), taskId);
  }

  /** Whether the result is known, so that reading it or waiting for it costs no Redis call. */
  isCached(taskId: string): boolean {
    checkId(taskId);
    return this.#cache.has(taskId);
  }

  /** Deletes a result. Waits for it go on: the task may run again. Sends DEL. */
  async forget(taskId: string): Promise<void> {
    this.#check(taskId);
    await this.#reader.forget(taskId);
  }

  /** Connects now, to fail at boot: within `timeout` seconds, by default `connectTimeout`. @throws BackendError */
  async connect(options: { readonly timeout?: number | undefined } = {}): Promise<void> {
    const timeoutMs = checkTimeout(options.timeout ?? this.#options.connectTimeout);
    this.#check();
    await Promise.all([this.#codec.load(), this.#driver.connect((timeoutMs ?? Infinity) / 1000)]);
  }

  /** Whether Redis answers: milliseconds of a round trip. Sends PING. @throws BackendError */
  async ping(): Promise<number> {
    this.#check();
    return this.#driver.ping();
  }

  /** Figures of this backend, as of now. */
  stats(): BackendStats {
    return {
      waits: this.#consumer.waits,
      channels: this.#consumer.channels,
      stores: this.#storer.pending,
      cached: this.#cache.size,
      cachedBytes: this.#cache.bytes,
      cacheHits: this.#cache.hits,
      storeRetries: this.#storer.retries,
      reconnects: this.#driver.reconnects(),
      rescued: this.#consumer.rescued,
    };
  }

  /** The URL, with the password as `**` unless asked for. */
  asUri(includePassword = false): string {
    return this.#driver.uri(includePassword);
  }

  /** Rejects waits with BackendClosedError, gives stores `closeTimeout` to end, closes both connections. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#consumer.close();
    // Stores that wait for the serializer were accepted as well.
    await this.#codec.settled();
    await this.#storer.close(this.#options.closeTimeout * 1000);
    await this.#driver.close();
    this.#cache.clear();
  }

  #check(...taskIds: readonly string[]): void {
    for (const taskId of taskIds) checkId(taskId);
    if (this.#closing) throw new BackendClosedError();
  }

  async #read(taskId: string): Promise<TaskMeta> {
    this.#check(taskId);
    if (!this.#codec.loaded) await this.#codec.load();
    return this.#reader.read(taskId);
  }

  #wait(taskId: string, timeoutMs: number | undefined, { signal, onMessage }: WaitOptions): Promise<WaitEnd> {
    return this.#consumer.wait(taskId, {
      timeoutMs,
      signal,
      onMessage: onMessage && ((meta) => onMessage(this.#codec.present(meta, taskId))),
    });
  }

  async #lookNow(taskId: string, { onMessage, signal }: WaitOptions): Promise<WaitEnd> {
    const meta = await abortable(this.#reader.readStored(taskId), signal);
    if (onMessage) await onMessage(this.#codec.present(meta, taskId));
    return isReady(meta.status) ? meta : new WaitFailure(() => new TimeoutError(taskId, 0, 'unready'));
  }
}
