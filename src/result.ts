/** Results as objects: a task's, a group's, and how they come from the tuples of the wire. */
import { checkWait, type Propagating } from './arguments.ts';
import { collect, type CollectOptions, type Dependency, iterdeps } from './dependencies.ts';
import { DecodeError } from './errors.ts';
import { waitAlong } from './follow-parents.ts';
import { checkId } from './keys.ts';
import type { GroupTuple, ResultTuple, TaskMeta } from './meta.ts';
import type { StoreOutcome } from './ports.ts';
import {
  forgetTasks,
  type GetOptions,
  hasFailed,
  parentsOf,
  type Result,
  type ResultSource,
  type TaskResult,
} from './result-node.ts';
import { type LookOptions, ResultSet } from './result-set.ts';
import { describe } from './serializers/excerpt.ts';
import { TaskView } from './task-view.ts';
import { isGroupTuple, parseTuple } from './tuples.ts';

/**
 * The result of a task that somebody sent.
 *
 * unknown -> known
 *
 * Unknown, each question reads anew (GET). Once a ready meta was seen it is kept for the object's life, so that a known
 * result costs nothing and stays as it is, its error included. Any number of objects may stand for one task.
 *
 * @example
 * ```ts
 * const result = new AsyncResult<number>(taskId, backend);
 * const total = await result.get({ timeout: 10 });
 * ```
 *
 * @see celery.result.AsyncResult
 */
export class AsyncResult<T = unknown> extends TaskView implements TaskResult<T> {
  readonly parent: Result | null;
  readonly #source: ResultSource;
  #children: { readonly of: TaskMeta; readonly results: readonly Result[] } | undefined;

  /** @throws InvalidArgumentError with `CELERY_INVALID_ID` */
  constructor(id: string, backend: ResultSource, parent: Result | null = null) {
    super(id, backend);
    this.parent = parent;
    this.#source = backend;
  }

  /**
   * Waits until the task is ready and returns its value. RETRY, PROGRESS and other states do not end it; the failure of a
   * parent does, at once and with the parent's error.
   *
   * Sends what BaseBackend.waitFor sends; with parents what asCompleted sends for all of them.
   *
   * @throws the task's own error, or a parent's
   * @throws TimeoutError, BackendClosedError, DecodeError, BackendGetMetaError; the reason of `signal`
   */
  get(options?: GetOptions & Propagating): Promise<T>;
  get(options: GetOptions): Promise<T | Error>;
  async get(options: GetOptions = {}): Promise<T | Error> {
    const { propagate = true, followParents = true } = options;
    checkWait(options);
    const parents = propagate && followParents ? parentsOf(this) : [];
    if (parents.length > 0) await waitAlong(this, parents, this.#source, options);
    const meta = this.known ?? (await this.#source.waitForMeta(this.id, options));
    this.take(meta);
    return valueOf<T>(this.id, meta, options);
  }

  /** The value as it is now, whatever the state; a failure's error is thrown. Does not wait. */
  maybeThrow(options?: LookOptions & Propagating): Promise<T>;
  maybeThrow(options: LookOptions): Promise<T | Error>;
  async maybeThrow(options: LookOptions = {}): Promise<T | Error> {
    return valueOf<T>(this.id, await this.meta(), options);
  }

  /**
   * The tasks and groups that the task sent; null when none are known. The same objects each time once it is ready.
   *
   * @throws DecodeError
   */
  async children(): Promise<readonly Result[] | null> {
    const meta = await this.meta();
    if (this.#children?.of === meta) return this.#children.results;
    const { children = null } = meta;
    if (children === null) return null;
    if (!Array.isArray(children)) throw new DecodeError(`Expected a list of children; got ${describe(children)}.`);
    const source = this.#source.everything ?? this.#source;
    const results = children.map((child) => resultFromTuple(child, source));
    this.#children = { of: meta, results };
    return results;
  }

  /**
   * This result with its value, then those of all that it and its children sent, breadth first, each once and waited
   * for. One `timeout` bounds them all.
   */
  collect(options: CollectOptions = {}): AsyncGenerator<readonly [result: Result, value: unknown], void, undefined> {
    return collect(this, this.#source, options);
  }

  /**
   * The same without waiting: each result with the one whose child it is. A result must be ready when the next one is
   * asked for.
   *
   * @throws IncompleteStream when it is not, unless `intermediate`
   */
  iterdeps({ intermediate = false }: { readonly intermediate?: boolean } = {}): AsyncGenerator<
    Dependency,
    void,
    undefined
  > {
    return iterdeps(this, intermediate);
  }

  /** Deletes the results of the task and of its parents. Sends one DEL, on a cluster one each. */
  async forget(): Promise<void> {
    await forgetTasks([this], this.#source);
  }

  /** `[[id, parent], null]` */
  asTuple(): ResultTuple {
    return [[this.id, this.parent?.asTuple() ?? null], null];
  }

  /** The ids from this task up to its first parent. */
  asList(): string[] {
    const ids = [this.id];
    for (let node = this.parent; node; node = node.parent) ids.push(node.id);
    return ids;
  }

  /** As {@link asTuple}, so that a result that is stored as a value is stored as Celery stores it. */
  toJSON(): ResultTuple {
    return this.asTuple();
  }

  /** Whether the other is a result of the same task, or its id. */
  equals(other: unknown): boolean {
    return other === this.id || (other instanceof AsyncResult && other.id === this.id);
  }

  override toString(): string {
    return this.id;
  }
}

/**
 * The results of a group's tasks, under the group's id.
 *
 * @see celery.result.GroupResult
 */
export class GroupResult<T = unknown> extends ResultSet<T> implements Result<(T | Error)[]> {
  readonly id: string;
  readonly parent: Result | null;
  readonly #source: ResultSource;

  /** @throws InvalidArgumentError with `CELERY_INVALID_ID` */
  constructor(id: string, results: Iterable<Result>, backend: ResultSource, parent: Result | null = null) {
    checkId(id, 'group id');
    super(results, backend);
    this.id = id;
    this.parent = parent;
    this.#source = backend;
  }

  /** The group that was saved under an id, null when there is none. Sends GET. @throws DecodeError */
  static async restore<T = unknown>(backend: ResultSource, id: string): Promise<GroupResult<T> | null> {
    const tuple = await backend.restoreGroup(id);
    return tuple && (build(tuple, backend) as GroupResult<T>);
  }

  /** Saves which results belong to the group. Sends SETEX and PUBLISH. */
  save(): Promise<StoreOutcome> {
    return this.#source.saveGroup(this.id, this.asTuple());
  }

  /** Deletes what was saved; the results stay. Sends DEL. */
  delete(): Promise<void> {
    return this.#source.deleteGroup(this.id);
  }

  children(): Promise<readonly Result<T>[]> {
    return Promise.resolve(this.results);
  }

  /** `[[id, parent], members]` */
  asTuple(): GroupTuple {
    return [[this.id, this.parent?.asTuple() ?? null], this.results.map((result) => result.asTuple())];
  }

  /** As {@link asTuple}. */
  toJSON(): GroupTuple {
    return this.asTuple();
  }

  /** Whether the other has the same id, members and parent, or is the id. */
  override equals(other: unknown): boolean {
    if (other === this.id) return true;
    if (!(other instanceof GroupResult) || other.id !== this.id || !super.equals(other)) return false;
    return this.parent ? this.parent.equals(other.parent) : other.parent === null;
  }

  override toString(): string {
    return this.id;
  }
}

/**
 * The result that a tuple stands for: `[[id, parent], null]` a task's, `[[id, parent], members]` a group's. Its type
 * argument is that of the task's value, or of each member's; nothing checks it.
 *
 * @param tuple - as it came from the wire; a result is returned as it is
 * @throws DecodeError when it is no such tuple
 * @see celery.result.result_from_tuple
 */
export function resultFromTuple<T = unknown>(tuple: unknown, backend: ResultSource): AsyncResult<T> | GroupResult<T> {
  const isResult = tuple instanceof AsyncResult || tuple instanceof GroupResult;
  return (isResult ? tuple : build(parseTuple(tuple), backend)) as AsyncResult<T> | GroupResult<T>;
}

/** @throws the error of a failure, unless `propagate` is false */
async function valueOf<T>(id: string, meta: TaskMeta, { propagate = true, callback }: LookOptions): Promise<T> {
  if (propagate && hasFailed(meta)) throw meta.result;
  await callback?.(id, meta.result);
  return meta.result as T;
}

function build(tuple: ResultTuple, backend: ResultSource): AsyncResult | GroupResult {
  const [[id, parentTuple]] = tuple;
  const parent = parentTuple && build(parentTuple, backend);
  if (!isGroupTuple(tuple)) return new AsyncResult(id, backend, parent);
  const members = tuple[1].map((member) => build(member, backend));
  return new GroupResult(id, members, backend, parent);
}
