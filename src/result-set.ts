/** Many results as one. */
import type { Propagating, WaitOptions } from './arguments.ts';
import { InvalidArgumentError } from './errors.ts';
import { inCompletion, inOrder, type Joined } from './joining.ts';
import type { TaskMeta } from './meta.ts';
import {
  forgetTasks,
  type GetOptions,
  hasFailed,
  identity,
  readTasks,
  type Result,
  type ResultSource,
  type TaskResult,
  tasksOf,
} from './result-node.ts';
import { isReady } from './states.ts';

/** What a look at present states takes. */
export type LookOptions = Pick<GetOptions, 'propagate' | 'callback'>;

/** What a join takes. */
export type JoinOptions = Omit<GetOptions, 'followParents'>;

/**
 * A collection of results, of tasks and of groups. A group among them counts as one member, whose value is the list of
 * its own. `T` is the type of a member's value, which nothing here checks.
 *
 * Questions about states read all tasks that are not known to be ready, in one batch.
 *
 * @see celery.result.ResultSet
 */
export class ResultSet<T = unknown> {
  readonly #source: ResultSource;
  readonly #members: Result<T>[];
  #identities: Set<string>;

  /** @param backend - reads and waits for all of them */
  constructor(results: Iterable<Result>, backend: ResultSource) {
    this.#source = backend;
    this.#members = [...results] as Result<T>[];
    this.#identities = new Set(this.#members.map(identity));
  }

  /** The members, in order. */
  get results(): readonly Result<T>[] {
    return this.#members;
  }

  /** The number of members. */
  get length(): number {
    return this.#members.length;
  }

  [Symbol.iterator](): IterableIterator<Result<T>> {
    return this.#members.values();
  }

  /** As {@link asCompleted} without options. */
  [Symbol.asyncIterator](): AsyncGenerator<readonly [result: Result<T>, value: T], void, undefined> {
    return this.asCompleted();
  }

  /** Adds a member, unless it is one. Joins under way go on without it. */
  add(result: Result): void {
    const name = identity(result);
    if (this.#identities.has(name)) return;
    this.#identities.add(name);
    this.#members.push(result as Result<T>);
  }

  /** Adds members, but for those that are. */
  update(results: Iterable<Result>): void {
    for (const result of results) this.add(result);
  }

  /** Removes a member, given as such or by its id. @throws InvalidArgumentError when it is none */
  remove(result: Result | string): void {
    if (this.discard(result)) return;
    throw new InvalidArgumentError(
      `result: expected a member; got ${typeof result === 'string' ? result : result.id}.`,
    );
  }

  /** Removes a member if it is one. @returns whether it was */
  discard(result: Result | string): boolean {
    const place = this.#members.findIndex((member) => member.equals(result));
    if (place === -1) return false;
    this.#members.splice(place, 1);
    this.#identities = new Set(this.#members.map(identity));
    return true;
  }

  /** Removes all members. */
  clear(): void {
    this.#members.length = 0;
    this.#identities.clear();
  }

  /** Whether all tasks are ready. */
  async ready(): Promise<boolean> {
    return !(await this.waiting());
  }

  /** Whether a task is not ready. */
  async waiting(): Promise<boolean> {
    const metas = await this.#read();
    return metas.some(([, { status }]) => !isReady(status));
  }

  /** Whether all tasks are in state SUCCESS. */
  async successful(): Promise<boolean> {
    const metas = await this.#read();
    return metas.every(([, { status }]) => status === 'SUCCESS');
  }

  /** Whether a task is in state FAILURE. */
  async failed(): Promise<boolean> {
    const metas = await this.#read();
    return metas.some(([, { status }]) => status === 'FAILURE');
  }

  /** The number of members whose tasks are all in state SUCCESS. */
  async completedCount(): Promise<number> {
    const succeeded = new Set<TaskResult>();
    for (const [task, { status }] of await this.#read()) if (status === 'SUCCESS') succeeded.add(task);
    return this.#members.filter((member) => [...tasksOf([member])].every((task) => succeeded.has(task))).length;
  }

  /** Throws the error of the first task, in order, that has failed so far. Does not wait. */
  async maybeThrow({ propagate = true, callback }: LookOptions = {}): Promise<void> {
    for (const [task, meta] of await this.#read()) {
      if (propagate && hasFailed(meta)) throw meta.result;
      await callback?.(task.id, meta.result);
    }
  }

  /** As {@link joinNative}. */
  get(options?: JoinOptions & Propagating): Promise<T[]>;
  get(options: JoinOptions): Promise<(T | Error)[]>;
  get(options: JoinOptions = {}): Promise<(T | Error)[]> {
    return this.joinNative(options);
  }

  /**
   * Waits for all members; their values in the order of the members. The first task that fails, in the order of
   * completion, ends it with its error.
   *
   * Sends MGET for the tasks that are not known, then waits for those that were not ready.
   *
   * @returns nothing with `callback`, which is called in the order of completion
   * @throws as AsyncResult.get; TimeoutError names the first task that is not ready
   */
  joinNative(options?: JoinOptions & Propagating): Promise<T[]>;
  joinNative(options: JoinOptions): Promise<(T | Error)[]>;
  joinNative(options: JoinOptions = {}): Promise<(T | Error)[]> {
    return this.#gather(inCompletion([...this.#members], this.#source, options), options);
  }

  /** The same with failures, and calls of `callback`, in the order of the members. */
  join(options?: JoinOptions & Propagating): Promise<T[]>;
  join(options: JoinOptions): Promise<(T | Error)[]>;
  join(options: JoinOptions = {}): Promise<(T | Error)[]> {
    return this.#gather(inOrder([...this.#members], this.#source, options), options);
  }

  /**
   * Members with their values, as they are complete. Whoever stops early leaves nothing behind.
   *
   * @see celery.result.ResultSet.iter_native
   */
  asCompleted(
    options?: WaitOptions & Propagating,
  ): AsyncGenerator<readonly [result: Result<T>, value: T], void, undefined>;
  asCompleted(options: WaitOptions): AsyncGenerator<readonly [result: Result<T>, value: T | Error], void, undefined>;
  async *asCompleted(
    options: WaitOptions = {},
  ): AsyncGenerator<readonly [result: Result<T>, value: T], void, undefined> {
    for await (const { member, value } of inCompletion([...this.#members], this.#source, options)) {
      yield [member as Result<T>, value as T];
    }
  }

  /** Deletes the results of all tasks and of their parents. Sends DELs for up to 100 each, on a cluster one each. */
  async forget(): Promise<void> {
    await forgetTasks(this.#members, this.#source);
  }

  /** Whether the other has equal members in the same order. */
  equals(other: unknown): boolean {
    return other instanceof ResultSet && haveEqual(this.#members, other.results);
  }

  async #gather(joined: AsyncGenerator<Joined, void, undefined>, { callback }: JoinOptions): Promise<T[]> {
    const values: unknown[] = callback ? [] : this.#members.map(() => undefined);
    for await (const { member, place, value } of joined) {
      if (callback) await callback(member.id, value);
      else values[place] = value;
    }
    return values as T[];
  }

  async #read(): Promise<(readonly [TaskResult, TaskMeta])[]> {
    const tasks = [...tasksOf(this.#members)];
    const metaOf = await readTasks(tasks, this.#source);
    return tasks.map((task) => [task, metaOf(task)]);
  }
}

function haveEqual(some: readonly Result[], others: readonly Result[]): boolean {
  return some.length === others.length && some.every((result, place) => result.equals(others[place]));
}
