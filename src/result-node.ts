/** What tasks' results and groups' have in common, and what they need of a backend. */
import type { MetaWaitOptions, Propagating, WaitOptions } from './arguments.ts';
import type { Clock } from './clock.ts';
import { type GroupTuple, PENDING_META, type ResultTuple, type TaskMeta } from './meta.ts';
import type { StoreOutcome } from './ports.ts';
import type { Settled } from './settled.ts';
import { PROPAGATE_STATES } from './states.ts';

/** A backend, as results see it. */
export interface ResultSource {
  readonly clock: Clock;
  /** Where the results of all tasks are, if only those of one task are here. */
  readonly everything?: ResultSource;
  getTaskMeta(taskId: string): Promise<TaskMeta>;
  getMany(taskIds: readonly string[]): Promise<Map<string, TaskMeta>>;
  waitForMeta(taskId: string, options?: MetaWaitOptions): Promise<TaskMeta>;
  asCompleted(taskIds: readonly string[], options?: MetaWaitOptions): AsyncGenerator<Settled, void, undefined>;
  forget(taskId: string): Promise<void>;
  saveGroup(groupId: string, group: GroupTuple): Promise<StoreOutcome>;
  restoreGroup(groupId: string): Promise<GroupTuple | null>;
  deleteGroup(groupId: string): Promise<void>;
}

/** What `get` takes. */
export interface GetOptions extends WaitOptions {
  /** Whether the failure of a parent ends the wait. Not without `propagate`, and not for a group. @default true */
  readonly followParents?: boolean | undefined;
  /** Is given the id and the value of each result; for a group, of each member. A promise is awaited. */
  readonly callback?: ((id: string, value: unknown) => unknown) | undefined;
}

/** The result of a task or of a group. */
export interface Result<T = unknown> {
  /** Of the task, or of the group. */
  readonly id: string;
  /** What came before it: the previous task of a chain, the header of a chord. */
  readonly parent: Result | null;
  /** The members of a group; a task has none. */
  readonly results?: readonly Result[];
  /** Waits until it is ready. */
  get(options?: GetOptions & Propagating): Promise<T>;
  get(options: GetOptions): Promise<T | Error>;
  /** Whether every task of it is ready, as of now. */
  ready(): Promise<boolean>;
  /** The tasks that it sent, or its members. */
  children(): Promise<readonly Result[] | null>;
  /** Deletes what is stored of it. */
  forget(): Promise<void>;
  asTuple(): ResultTuple;
  equals(other: unknown): boolean;
}

/** The result of a task, which keeps its meta once it is ready. */
export interface TaskResult<T = unknown> extends Result<T> {
  /** The ready meta, once it was seen. */
  readonly known: TaskMeta | undefined;
  /** Keeps a meta if it is ready and none is kept; undefined drops what is kept. */
  take(meta: TaskMeta | undefined): void;
}

/** The result of a group. */
interface GroupNode extends Result {
  readonly results: readonly Result[];
}

/** Whether a result is that of a group. */
export function isGroup(result: Result): result is GroupNode {
  return result.results !== undefined;
}

/** Different for different results, and the same for equal tasks and for groups of one id. */
export function identity(result: Result): string {
  return `${isGroup(result) ? 'group' : 'task'} ${result.id}`;
}

/** The tasks of results, in order: of a group, those of its members. */
export function* tasksOf(results: readonly Result[]): Generator<TaskResult, void, undefined> {
  const stack = results.toReversed();
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (!isGroup(next)) yield next as TaskResult;
    else for (const member of next.results.toReversed()) stack.push(member);
  }
}

/** The tasks that came before a result, the first of them first. */
export function parentsOf(result: Result): TaskResult[] {
  const line: Result[] = [];
  for (let node = result.parent; node; node = node.parent) line.push(node);
  return [...tasksOf(line.reverse())];
}

/** Whether a wait for the task throws. */
export function hasFailed(meta: TaskMeta): boolean {
  return PROPAGATE_STATES.has(meta.status);
}

/** The metas of tasks as they are now, in one batch of reads. Those that are ready are kept. */
export async function readTasks(
  tasks: readonly TaskResult[],
  source: ResultSource,
): Promise<(task: TaskResult) => TaskMeta> {
  const unknown = tasks.filter((task) => !task.known);
  const metas = unknown.length > 0 ? await source.getMany(unknown.map(({ id }) => id)) : new Map<string, TaskMeta>();
  for (const task of unknown) task.take(metas.get(task.id));
  return (task) => task.known ?? metas.get(task.id) ?? PENDING_META;
}

/** Deletes the results of tasks and of their parents, each once. */
export async function forgetTasks(results: readonly Result[], source: ResultSource): Promise<void> {
  const ids = new Set<string>();
  const stack = [...tasksOf(results)];
  for (let task = stack.pop(); task; task = stack.pop()) {
    task.take(undefined);
    if (ids.has(task.id)) continue;
    ids.add(task.id);
    if (task.parent) for (const before of tasksOf([task.parent])) stack.push(before);
  }
  await Promise.all([...ids].map((id) => source.forget(id)));
}
