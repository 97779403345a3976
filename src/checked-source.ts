/** Results that a schema has seen before their reader does. */
import type { MetaWaitOptions, WatchOptions } from './arguments.ts';
import type { Clock } from './clock.ts';
import { ResultInvalidError } from './invalid-result.ts';
import type { GroupTuple, TaskMeta } from './meta.ts';
import type { StoreOutcome } from './ports.ts';
import type { ResultSource } from './result-node.ts';
import type { StandardSchema } from './schema.ts';
import { type Settled, settledOf } from './settled.ts';
import { mapped } from './stream.ts';

/** A backend, as the handles of tasks see it. */
export interface TaskSource extends ResultSource {
  watch(taskId: string, options?: WatchOptions): AsyncGenerator<TaskMeta, void, undefined>;
}

/**
 * A backend whose results are those of one task, each seen by the schema: what it makes of a result takes its place, and
 * what it refuses fails the call that reads it. Every reader has the schema look anew.
 */
export class CheckedSource implements TaskSource {
  readonly #source: TaskSource;
  readonly #taskName: string;
  readonly #schema: StandardSchema;

  constructor(source: TaskSource, taskName: string, schema: StandardSchema) {
    this.#source = source;
    this.#taskName = taskName;
    this.#schema = schema;
  }

  get everything(): ResultSource {
    return this.#source;
  }

  get clock(): Clock {
    return this.#source.clock;
  }

  /** A meta whose result is checked, if it is a SUCCESS. @throws ResultInvalidError, and what the schema throws */
  async check(taskId: string, meta: TaskMeta): Promise<TaskMeta> {
    if (meta.status !== 'SUCCESS') return meta;
    const found = await this.#schema['~standard'].validate(meta.result);
    if (found.issues) throw new ResultInvalidError(this.#taskName, taskId, found.issues);
    return Object.freeze({ ...meta, result: found.value });
  }

  async getTaskMeta(taskId: string): Promise<TaskMeta> {
    // Awaited, here and below, so that the stack of an error names the caller.
    return await this.check(taskId, await this.#source.getTaskMeta(taskId));
  }

  async getMany(taskIds: readonly string[]): Promise<Map<string, TaskMeta>> {
    const metas = [...(await this.#source.getMany(taskIds))];
    return new Map(
      await Promise.all(metas.map(async ([taskId, meta]) => [taskId, await this.check(taskId, meta)] as const)),
    );
  }

  async waitForMeta(taskId: string, options?: MetaWaitOptions): Promise<TaskMeta> {
    return await this.check(taskId, await this.#source.waitForMeta(taskId, options));
  }

  asCompleted(taskIds: readonly string[], options?: MetaWaitOptions): AsyncGenerator<Settled, void, undefined> {
    return mapped(
      () => this.#source.asCompleted(taskIds, options),
      async ({ taskId, meta }) => settledOf(taskId, await this.check(taskId, meta)),
    );
  }

  watch(taskId: string, options?: WatchOptions): AsyncGenerator<TaskMeta, void, undefined> {
    return mapped(
      () => this.#source.watch(taskId, options),
      (meta) => this.check(taskId, meta),
    );
  }

  forget(taskId: string): Promise<void> {
    return this.#source.forget(taskId);
  }

  saveGroup(groupId: string, group: GroupTuple): Promise<StoreOutcome> {
    return this.#source.saveGroup(groupId, group);
  }

  restoreGroup(groupId: string): Promise<GroupTuple | null> {
    return this.#source.restoreGroup(groupId);
  }

  deleteGroup(groupId: string): Promise<void> {
    return this.#source.deleteGroup(groupId);
  }
}
