/** The tasks that may be sent, with their arguments and results. Neither Python nor a client promises anything to the compiler. */
import { randomUUID } from 'node:crypto';
import type { TypedTasks } from 'celery-redis-backend';
import { z } from 'zod';
import { settings } from '../stack/settings.ts';

type Kind = 'add' | 'total' | 'progress' | 'fail';

export type TaskName = `${'python' | 'typescript'}.${Kind}`;

const ARGS: Readonly<Record<Kind, z.ZodType>> = {
  add: z.tuple([z.number(), z.number()]),
  total: z.tuple([z.array(z.number())]),
  progress: z.tuple([z.int().min(1).max(1000)]),
  fail: z.tuple([z.string()]),
};

/** The handles of the tasks. What comes of each is a number, if anything does. */
export type Handles = TypedTasks<Record<TaskName, number>>;

/** The schemas of the results, for `tasks`. */
export const results: Readonly<Record<TaskName, z.ZodType<number>>> = {
  'python.add': z.number(),
  'python.total': z.number(),
  'python.progress': z.number(),
  'python.fail': z.never(),
  'typescript.add': z.number(),
  'typescript.total': z.number(),
  'typescript.progress': z.number(),
  'typescript.fail': z.never(),
};

/** A task of which a client has the id. */
export interface Known {
  readonly task: TaskName;
  readonly taskId: string;
}

/** A task to send. */
export interface Call extends Known {
  readonly args: readonly unknown[];
}

/** Tasks beside one another. */
export interface Group {
  readonly groupId: string;
  readonly tasks: readonly Call[];
}

/** Tasks beside one another, and one that is given the list of their values. */
export interface Chord {
  readonly header: readonly Call[];
  readonly body: Known;
}

/** The id of a task or group: the client's own, so that it can listen before it sends, or else a new one. */
const id = z.uuid().default(() => randomUUID());
const task = z.enum(Object.keys(results) as TaskName[]);

export const known: z.ZodType<Known> = z.object({ task, taskId: z.uuid() });

export const call: z.ZodType<Call> = z
  .object({ task, taskId: id, args: z.array(z.unknown()) })
  .check(({ value, issues }) => {
    const { error } = ARGS[kindOf(value.task)].safeParse(value.args);
    for (const { message, path } of error?.issues ?? []) {
      issues.push({ code: 'custom', message, path: ['args', ...path], input: value });
    }
  });

const calls = z.array(call).min(1).max(50);

export const group: z.ZodType<Group> = z.object({ groupId: id, tasks: calls });

export const chord: z.ZodType<Chord> = z.object({ header: calls, body: z.object({ task, taskId: id }) });

/** A task without its language. */
function kindOf(name: TaskName): Kind {
  return name.slice(name.indexOf('.') + 1) as Kind;
}

/** The queue whose workers know a task. */
export function queueOf(name: TaskName): string {
  return name.startsWith('python.') ? settings.pythonQueue : settings.typescriptQueue;
}
