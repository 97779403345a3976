/** Results by the names of their tasks: typed, and checked where there is a schema. */
import type { MetaWaitOptions, Propagating, WaitOptions, WatchOptions } from './arguments.ts';
import { settle, waitForAll, waitForAny } from './awaiting.ts';
import { CheckedSource, type TaskSource } from './checked-source.ts';
import { InvalidArgumentError } from './errors.ts';
import { ResultInvalidError } from './invalid-result.ts';
import type { TaskMeta } from './meta.ts';
import { show } from './option-checks.ts';
import { isGroup } from './result-node.ts';
import { AsyncResult, GroupResult } from './result.ts';
import { isSchema, type SchemaOutput, type StandardSchema } from './schema.ts';
import { type Settled, settledOf, type Succeeded, type TimedOut, valueOf } from './settled.ts';
import { mapped } from './stream.ts';

/** A task that succeeded with a result that its schema refuses. */
export interface Invalid {
  readonly taskId: string;
  readonly status: 'INVALID';
  readonly error: ResultInvalidError;
  /** The whole meta, its result as it came. */
  readonly meta: TaskMeta;
}

/** The tasks of an application: the handle of each by its name. */
export interface TypedTasks<Tasks extends object> {
  /**
   * @param schema - checks the results of this handle, in the place of one that `tasks` was given
   * @throws InvalidArgumentError for what is no schema
   */
  task<N extends keyof Tasks & string>(name: N, schema?: StandardSchema<Tasks[N]>): TypedTask<Tasks[N]>;
}

/**
 * Gives types to results by the names of their tasks, which an id alone does not tell.
 *
 * @example
 * ```ts
 * interface Tasks { 'orders.price': { cents: number } }
 * const price = tasks<Tasks>(backend).task('orders.price');
 * const { cents } = await price.waitFor(taskId, { timeout: 10 });
 * ```
 */
export function tasks<Tasks extends object>(backend: TaskSource): TypedTasks<Tasks>;
/**
 * The same by schemas, which check the results as well.
 *
 * @param schemas - by the names of the tasks: types and checks at once, in the place of the type argument
 */
export function tasks<Schemas extends Readonly<Record<string, StandardSchema>>>(
  backend: TaskSource,
  schemas: Schemas,
): TypedTasks<{ [N in keyof Schemas]: SchemaOutput<Schemas[N]> }>;
export function tasks(
  backend: TaskSource,
  schemas: Readonly<Record<string, StandardSchema>> = {},
): TypedTasks<Record<string, unknown>> {
  return {
    task: (name, schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined) =>
      new TypedTask(backend, name, schema),
  };
}

/**
 * One task of an application, whose results have the type `T`. Its methods are those of the backend.
 *
 * With a schema each result is what the schema makes of it, and one that it refuses rejects with ResultInvalidError, but
 * in `settle` and `asCompleted`, which tell of it. The schema sees results of SUCCESS alone, each time they are read.
 * `onMessage` is shown them as they came.
 */
export class TypedTask<T> {
  readonly name: string;
  readonly #backend: TaskSource;
  readonly #checked: CheckedSource | undefined;

  /** @throws InvalidArgumentError for what is no schema */
  constructor(backend: TaskSource, name: string, schema?: StandardSchema<T>) {
    if (schema !== undefined && !isSchema(schema)) {
      throw new InvalidArgumentError(`schema of ${name}: expected a Standard Schema; got ${show(schema)}.`);
    }
    this.name = name;
    this.#backend = backend;
    this.#checked = schema && new CheckedSource(backend, name, schema);
  }

  get #source(): TaskSource {
    return this.#checked ?? this.#backend;
  }

  /** The value. @throws as BaseBackend.waitFor, and ResultInvalidError */
  waitFor(taskId: string, options?: WaitOptions & Propagating): Promise<T>;
  waitFor(taskId: string, options: WaitOptions): Promise<T | Error>;
  async waitFor(taskId: string, options: WaitOptions = {}): Promise<T | Error> {
    return valueOf(settledOf<T>(taskId, await this.#source.waitForMeta(taskId, options)), options.propagate);
  }

  /** As BaseBackend.settle; `INVALID` for a result that the schema refuses. */
  async settle(taskId: string, options: MetaWaitOptions = {}): Promise<Settled<T> | TimedOut | Invalid> {
    const settled = await settle<T>(this.#backend, taskId, options);
    return settled.status === 'TIMEOUT' ? settled : this.#judge(settled);
  }

  /** As BaseBackend.watch. @throws ResultInvalidError in the place of the ready state, if the schema refuses its result */
  watch(taskId: string, options?: WatchOptions): AsyncGenerator<TaskMeta, void, undefined> {
    return this.#source.watch(taskId, options);
  }

  /** As BaseBackend.asCompleted; `INVALID` for each result that the schema refuses. */
  asCompleted(
    taskIds: readonly string[],
    options?: MetaWaitOptions,
  ): AsyncGenerator<Settled<T> | Invalid, void, undefined> {
    return mapped(
      () => this.#backend.asCompleted(taskIds, options),
      (settled) => this.#judge(settled),
    );
  }

  /** The values in the order of the ids. @throws as BaseBackend.waitForAll, and ResultInvalidError */
  waitForAll(taskIds: readonly string[], options?: WaitOptions & Propagating): Promise<T[]>;
  waitForAll(taskIds: readonly string[], options: WaitOptions): Promise<(T | Error)[]>;
  waitForAll(taskIds: readonly string[], options: WaitOptions = {}): Promise<(T | Error)[]> {
    return waitForAll<T>(this.#source, taskIds, options);
  }

  /** The first that is ready. @throws as BaseBackend.waitForAny, and ResultInvalidError */
  waitForAny(taskIds: readonly string[], options?: WaitOptions & Propagating): Promise<Succeeded<T>>;
  waitForAny(taskIds: readonly string[], options: WaitOptions): Promise<Settled<T>>;
  waitForAny(taskIds: readonly string[], options: WaitOptions = {}): Promise<Settled<T>> {
    return waitForAny<T>(this.#source, taskIds, options);
  }

  /** The result of one call of the task, as an object. @throws InvalidArgumentError with `CELERY_INVALID_ID` */
  result(taskId: string): AsyncResult<T> {
    return new AsyncResult<T>(taskId, this.#source);
  }

  /** A group of calls of the task. @throws InvalidArgumentError with `CELERY_INVALID_ID` */
  group(groupId: string, taskIds: Iterable<string>): GroupResult<T> {
    const members = Array.from(taskIds, (taskId) => this.result(taskId));
    return new GroupResult<T>(groupId, members, this.#source);
  }

  /** A saved group, whose members are calls of the task; null when there is none. Sends GET. @throws DecodeError */
  async restoreGroup(groupId: string): Promise<GroupResult<T> | null> {
    const group = await GroupResult.restore(this.#backend, groupId);
    if (!group) return null;
    const members = group.results.map((member) => (isGroup(member) ? member : this.result(member.id)));
    return new GroupResult<T>(group.id, members, this.#source, group.parent);
  }

  async #judge({ taskId, meta }: Settled): Promise<Settled<T> | Invalid> {
    try {
      return settledOf<T>(taskId, this.#checked ? await this.#checked.check(taskId, meta) : meta);
    } catch (error) {
      if (!(error instanceof ResultInvalidError)) throw error;
      return { taskId, status: 'INVALID', error, meta };
    }
  }
}
