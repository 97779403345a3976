/** What is stored. */
import { randomUUID } from 'node:crypto';

/** A result, and the same as its JSON text, for a competitor that encodes nothing. */
export interface Sample {
  readonly value: { readonly sent: string; readonly note: string };
  readonly text: string;
}

/**
 * A sample whose meta has so many bytes.
 *
 * @param sent - a time in nanoseconds of CLOCK_MONOTONIC, which is the same in every process of a machine
 * @param bytes - of the meta
 */
export function sample(sent: string = process.hrtime.bigint().toString(), bytes = 300): Sample {
  const note = 'x'.repeat(bytes - 194 - sent.length);
  return { value: { sent, note }, text: `{"sent": "${sent}", "note": "${note}"}` };
}

/** The bytes that Celery stores. */
export function encodeMeta(taskId: string, { text }: Sample): string {
  const done = `${new Date().toISOString().slice(0, -1)}000+00:00`;
  return `{"status": "SUCCESS", "result": ${text}, "traceback": null, "children": null, "date_done": "${done}", "task_id": "${taskId}"}`;
}

/** The microseconds since a sample was made. */
export function since(result: unknown): number {
  return Number(process.hrtime.bigint() - BigInt((result as Sample['value']).sent)) / 1000;
}

/** A task's key, which is its channel too. */
export const keyOf = (taskId: string): string => `celery-task-meta-${taskId}`;

/** Ids of tasks. */
export const newIds = (count: number): string[] => Array.from({ length: count }, () => randomUUID());
