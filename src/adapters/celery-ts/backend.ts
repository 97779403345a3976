/** The result backend of celery-ts (and of its fork celeries), over one of ours. */
import type { BaseBackend } from '../../backend.ts';
import type { TaskMeta } from '../../meta.ts';
import { PROPAGATE_STATES } from '../../states.ts';
import { codeOf, infoOf, plainResult } from '../failure-info.ts';
import { type SwallowedObserver, Swallower } from '../swallowed.ts';

/** What {@link createCeleryTsBackend} takes besides the backend. */
export interface CeleryTsBackendOptions {
  /** Whether `disconnect` and `end` close the backend. @default false: who opened it closes it */
  readonly own?: boolean | undefined;
  /**
   * Whether the failure of a task rejects. celery-ts waits for every task it sends, read or not: a failure that nobody
   * reads is then an unhandled rejection, which ends the process. @default false: `get` resolves to the failure's data
   */
  readonly rejectOnFailure?: boolean | undefined;
  /**
   * Seconds that a wait without a limit lasts at most: nothing is stored for longer than results live. Such a wait then
   * stays pending, and is forgotten. null = no limit. @default 86400
   */
  readonly maxWait?: number | null | undefined;
  /** Is told what would have rejected where nobody looks. */
  readonly onError?: SwallowedObserver | undefined;
}

/** celery-ts's `ResultMessage`. */
export interface CeleryTsMessage<T = unknown> {
  readonly children: unknown[];
  readonly result: T;
  /** A state of Celery, or one of the application's own. */
  readonly status: string;
  readonly task_id: string;
  readonly traceback: string | null;
}

/** celery-ts's `GetOptions`. */
export interface CeleryTsGetOptions {
  readonly taskId: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** As celery-ts types its messages: states are an enum there, which no text can be assigned to. */
type Loose<M> = Omit<M, 'status'> & { status: never };

/** Waits for a task, to be ended together. */
interface Wait {
  readonly limit: AbortController;
  /** Whether its caller looks for rejections. */
  readonly isBounded: boolean;
}

/** Why a wait was ended. */
const DELETED = Symbol('deleted');
const ENDED = Symbol('ended');

/**
 * Implements celery-ts's `ResultBackend`.
 *
 * open -> ended
 *
 * It differs from the stock backend where that is broken: any ready state ends a wait, stored or published, before or
 * after; STARTED and RETRY do not; results of others are not received; outages are survived.
 */
export class CeleryTsBackend {
  readonly #backend: BaseBackend;
  readonly #options: CeleryTsBackendOptions;
  readonly #swallower: Swallower;
  readonly #waits = new Map<string, Set<Wait>>();
  #ended = false;

  constructor(backend: BaseBackend, options: CeleryTsBackendOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#swallower = new Swallower('celery-ts', options.onError);
  }

  /**
   * Stores a result. Sends what BaseBackend.storeResult sends.
   *
   * @returns `'stored'`, `'kept'` when a SUCCESS was there, or `'unannounced'`
   * @throws as BaseBackend.storeResult
   */
  put(message: {
    readonly task_id: string;
    readonly status: string;
    readonly result: unknown;
    readonly traceback?: string | null;
    readonly children?: readonly unknown[] | null;
  }): Promise<string> {
    const { task_id: taskId, status, result, traceback, children } = message;
    // Celery's tuples; celery-ts types them as anything.
    const request = { children: (children ?? []) as NonNullable<TaskMeta['children']> };
    return this.#backend.storeResult(taskId, result, status, { traceback: traceback ?? null, request });
  }

  /**
   * Waits until the task is ready and resolves to its whole message; a failure's `result` is
   * `{exc_type, exc_message, exc_module}` (unless `rejectOnFailure`). A stored value that cannot be read counts as a
   * failure. Sends what BaseBackend.waitFor sends; waits for one task share a subscription.
   *
   * Without `timeout` it never rejects but by `delete` and `rejectOnFailure`, since celery-ts starts such a wait for
   * every task it sends, and nobody may look at it: it stays pending when the backend is closed.
   *
   * @throws Error `timed out`; Error `deleted`; the task's own error with `rejectOnFailure`
   */
  get<T>({ taskId, timeout }: CeleryTsGetOptions): Promise<Loose<CeleryTsMessage<T>>> {
    return this.#get(taskId, timeout ?? undefined) as Promise<Loose<CeleryTsMessage<T>>>;
  }

  /**
   * Deletes a result; waits for it here reject with Error `deleted`. Sends GET and DEL.
   *
   * @returns `'1'` when there was one, else `'0'`
   * @throws as BaseBackend.forget
   */
  async delete(taskId: string): Promise<string> {
    const existed = await this.#exists(taskId);
    await this.#backend.forget(taskId);
    this.#end(taskId, DELETED);
    return existed ? '1' : '0';
  }

  /** As {@link end}. */
  disconnect(): Promise<void> {
    return this.end();
  }

  /** Ends all waits of this adapter, without a word to those without a `timeout`. Closes the backend if it is `own`. */
  async end(): Promise<void> {
    this.#ended = true;
    for (const taskId of [...this.#waits.keys()]) this.#end(taskId, ENDED);
    if (this.#options.own) await this.#backend.close();
  }

  /** The URL, with the password as `**`. */
  uri(): string {
    return this.#backend.asUri();
  }

  async #get(taskId: string, timeout: number | undefined): Promise<unknown> {
    const wait: Wait = { limit: new AbortController(), isBounded: timeout !== undefined };
    this.#add(taskId, wait);
    if (this.#ended) wait.limit.abort(ENDED);
    const limits = { timeout: this.#seconds(timeout), signal: wait.limit.signal };
    const end = await this.#backend.waitForMeta(taskId, limits).then(
      (meta) => ({ meta }),
      (error: unknown) => ({ error }),
    );
    this.#remove(taskId, wait);
    if ('error' in end) return this.#settle(taskId, wait, end.error);
    if (this.#options.rejectOnFailure && PROPAGATE_STATES.has(end.meta.status)) throw end.meta.result;
    return messageOf(taskId, end.meta);
  }

  /** What becomes of a wait that did not end with a result: it stays pending where nobody may be looking. */
  #settle(taskId: string, wait: Wait, error: unknown): Promise<CeleryTsMessage> {
    if (error === DELETED) throw new Error('deleted');
    const code = codeOf(error);
    if (wait.isBounded) {
      if (error === ENDED) throw new Error('The backend was ended.');
      throw code === 'CELERY_TIMEOUT' ? new Error('timed out', { cause: error }) : error;
    }
    if (error === ENDED || QUIET_CODES.has(code)) return new Promise(() => undefined);
    if (this.#options.rejectOnFailure) throw error;
    this.#swallower.tell('get', taskId, error);
    if (code === 'CELERY_DECODE') return Promise.resolve(unreadable(taskId, error));
    return new Promise(() => undefined);
  }

  #seconds(timeout: number | undefined): number | null {
    if (timeout !== undefined) return timeout / 1000;
    const { maxWait = 86_400 } = this.#options;
    return maxWait;
  }

  async #exists(taskId: string): Promise<boolean> {
    try {
      // A missing key reads as a meta of two fields.
      return Object.hasOwn(await this.#backend.reloadTaskResult(taskId), 'task_id');
    } catch (error) {
      if (codeOf(error) === 'CELERY_DECODE') return true;
      throw error;
    }
  }

  #add(taskId: string, wait: Wait): void {
    const waits = this.#waits.get(taskId) ?? new Set();
    this.#waits.set(taskId, waits.add(wait));
  }

  #remove(taskId: string, wait: Wait): void {
    const waits = this.#waits.get(taskId);
    waits?.delete(wait);
    if (waits?.size === 0) this.#waits.delete(taskId);
  }

  #end(taskId: string, why: symbol): void {
    for (const wait of this.#waits.get(taskId) ?? []) wait.limit.abort(why);
  }
}

/** What ends a wait that has a limit, or whose backend is closed: nothing to tell of. */
const QUIET_CODES: ReadonlySet<unknown> = new Set(['CELERY_TIMEOUT', 'CELERY_BACKEND_CLOSED']);

function messageOf(taskId: string, meta: TaskMeta): CeleryTsMessage {
  return {
    children: [...(meta.children ?? [])],
    result: plainResult(meta),
    status: meta.status,
    task_id: meta.task_id ?? taskId,
    traceback: meta.traceback ?? null,
  };
}

function unreadable(taskId: string, error: unknown): CeleryTsMessage {
  return { children: [], result: infoOf(error), status: 'FAILURE', task_id: taskId, traceback: null };
}

/**
 * The result backend for a client of celery-ts:
 *
 * ```ts
 * new Client({ backend: createCeleryTsBackend(backend), brokers, id });
 * ```
 *
 * @param backend - closed by who opened it, unless `own`
 */
export function createCeleryTsBackend(backend: BaseBackend, options: CeleryTsBackendOptions = {}): CeleryTsBackend {
  return new CeleryTsBackend(backend, options);
}
