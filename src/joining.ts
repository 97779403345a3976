/** The values of many results, as they become ready. */
import { checkWait, type WaitOptions } from './arguments.ts';
import { hasFailed, isGroup, type Result, type ResultSource, type TaskResult, tasksOf } from './result-node.ts';

/** A member that is complete. */
export interface Joined {
  readonly member: Result;
  readonly place: number;
  readonly value: unknown;
}

/** A member that is to be complete. */
interface Goal {
  readonly member: Result;
  readonly place: number;
  /** Tasks that are not ready. */
  missing: number;
}

/** The results of one task, and the members that they belong to. */
interface Part {
  readonly tasks: TaskResult[];
  readonly goals: Set<Goal>;
}

/**
 * Members as they are complete: a task when it is ready, a group when all of its tasks are. One batch of reads, then
 * push; one limit for all.
 *
 * @throws the error of the first task that fails, unless `propagate` is false
 */
export async function* inCompletion(
  members: readonly Result[],
  source: ResultSource,
  options: WaitOptions,
): AsyncGenerator<Joined, void, undefined> {
  checkWait(options);
  const { parts, goals } = planOf(members);
  for (const goal of goals) if (goal.missing === 0) yield joinedOf(goal);
  for await (const part of ready(parts, source, options)) {
    if (options.propagate !== false) throwFailure(part.tasks);
    for (const goal of part.goals) {
      goal.missing -= 1;
      if (goal.missing === 0) yield joinedOf(goal);
    }
  }
}

/**
 * The same in the order of the members.
 *
 * @throws the error of the first task in that order that failed, once all before it are ready
 */
export async function* inOrder(
  members: readonly Result[],
  source: ResultSource,
  options: WaitOptions,
): AsyncGenerator<Joined, void, undefined> {
  const complete = new Map<number, Joined>();
  let next = 0;
  for await (const joined of inCompletion(members, source, { ...options, propagate: false })) {
    complete.set(joined.place, joined);
    for (let turn = complete.get(next); turn; turn = complete.get(next)) {
      if (options.propagate !== false) throwFailure(tasksOf([turn.member]));
      yield turn;
      next += 1;
    }
  }
}

/** The parts as their tasks become ready: those that are known first. */
async function* ready(
  parts: ReadonlyMap<string, Part>,
  source: ResultSource,
  options: WaitOptions,
): AsyncGenerator<Part, void, undefined> {
  const waiting: string[] = [];
  for (const [id, part] of parts) {
    const known = part.tasks.find((task) => task.known)?.known;
    if (!known) waiting.push(id);
    else {
      for (const task of part.tasks) task.take(known);
      yield part;
    }
  }
  if (waiting.length === 0) return;
  for await (const { taskId, meta } of source.asCompleted(waiting, options)) {
    const part = parts.get(taskId);
    if (!part) continue;
    for (const task of part.tasks) task.take(meta);
    yield part;
  }
}

function planOf(members: readonly Result[]): { readonly parts: Map<string, Part>; readonly goals: readonly Goal[] } {
  const parts = new Map<string, Part>();
  const goals = members.map((member, place) => ({ member, place, missing: 0 }));
  for (const goal of goals) {
    for (const task of tasksOf([goal.member])) {
      const part = parts.get(task.id) ?? { tasks: [], goals: new Set() };
      parts.set(task.id, part);
      part.tasks.push(task);
      if (!part.goals.has(goal)) goal.missing += 1;
      part.goals.add(goal);
    }
  }
  return { parts, goals };
}

function joinedOf({ member, place }: Goal): Joined {
  return { member, place, value: valueOf(member) };
}

/** The value of a result whose tasks are all known: of a group, the list of its members' values. */
function valueOf(result: Result): unknown {
  return isGroup(result) ? result.results.map(valueOf) : (result as TaskResult).known?.result;
}

/** @throws the error of the first that failed */
function throwFailure(tasks: Iterable<TaskResult>): void {
  for (const { known } of tasks) if (known && hasFailed(known)) throw known.result;
}
