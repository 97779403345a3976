/**
 * The shapes Celery stores: the meta of a task and the tuples that stand for results.
 *
 * Field names are those of the wire and are never renamed.
 *
 * @see celery.backends.base.Backend._get_result_meta
 */
import { type DateWriter, isoUtc } from './dates.ts';
import type { Signature } from './signature.ts';
import type { TaskState } from './states.ts';

/** `[[id, parent], null]` is a task, `[[id, parent], members]` a group, an empty one included. */
export type ResultTuple = readonly [
  head: readonly [id: string, parent: ResultTuple | null],
  members: readonly ResultTuple[] | null,
];

/** The tuple of a group. */
export type GroupTuple = readonly [head: ResultTuple[0], members: readonly ResultTuple[]];

/** An encoded exception, as it stands in the `result` of a FAILURE, RETRY or REVOKED meta. */
export interface ExceptionInfo {
  readonly exc_type: string;
  readonly exc_message: readonly unknown[];
  readonly exc_module: string | null;
}

/**
 * The meta of a task.
 *
 * A missing key reads as exactly `{ status: 'PENDING', result: null }`, so everything else may be absent. Stamps
 * (`stamped_headers`) stand beside the named fields under their own names.
 */
export interface TaskMeta<T = unknown> {
  readonly status: TaskState;
  /** The value; for FAILURE, RETRY and REVOKED the error. Shared between readers: treat it as read-only. */
  readonly result: T;
  /** The traceback text of a failure or retry. */
  readonly traceback?: string | null;
  /** The results of the tasks this one sent. */
  readonly children?: readonly ResultTuple[] | null;
  /** When the task became ready, in ISO 8601; `null` before that. Without an offset it is UTC. */
  readonly date_done?: string | null;
  readonly task_id?: string;
  readonly group_id?: string;
  readonly parent_id?: string;
  /** The fields of `resultExtended`. */
  readonly name?: string | null;
  readonly args?: unknown;
  readonly kwargs?: unknown;
  readonly worker?: string | null;
  readonly retries?: number | null;
  readonly queue?: string | null;
  readonly stamped_headers?: readonly string[];
  readonly [stamp: string]: unknown;
}

/** What a missing key reads as. */
export const PENDING_META: TaskMeta<null> = Object.freeze({ status: 'PENDING', result: null });

/**
 * The request context of a running task, as far as its result is concerned. The names are those of Celery's message
 * headers and of `Context`.
 *
 * @see celery.app.task.Context
 */
export interface TaskRequest {
  readonly id?: string;
  /** The task's name. */
  readonly task?: string | null;
  readonly args?: unknown;
  readonly kwargs?: unknown;
  /** The worker: `'celery@host'`. */
  readonly hostname?: string | null;
  /** `null` is written as `null`. @default 0 */
  readonly retries?: number | null;
  readonly delivery_info?: { readonly routing_key?: string | null } | null;
  readonly group?: string | null;
  /** Its place in the group, from 0; decides its place among the results of a chord. */
  readonly group_index?: number | null;
  readonly parent_id?: string | null;
  readonly root_id?: string | null;
  /** The body of the chord that the task is a part of. */
  readonly chord?: Signature | null;
  /** What follows it in its chain, the next one last. */
  readonly chain?: readonly Signature[] | null;
  /** What to call after a success. */
  readonly callbacks?: readonly Signature[] | null;
  /** What to call after a failure. */
  readonly errbacks?: readonly Signature[] | null;
  /** Whether its result is not stored. @default false */
  readonly ignore_result?: boolean | null;
  /** @default [] */
  readonly children?: readonly ResultTuple[] | null;
  readonly stamped_headers?: readonly string[] | null;
  readonly stamps?: Readonly<Record<string, unknown>> | null;
  /** The trace of whoever sent it, as W3C writes it. For those who watch; never stored. */
  readonly traceparent?: string | null;
  readonly tracestate?: string | null;
}

/** What a meta is built from. */
export interface MetaParts {
  readonly taskId: string;
  readonly state: TaskState;
  /** The value, or the encoded exception. */
  readonly result: unknown;
  readonly traceback: string | null;
  readonly request: TaskRequest | undefined;
  /** Whether to add the fields of `resultExtended`. */
  readonly extended: boolean;
  /** Wall clock, in milliseconds since 1970. */
  readonly now: number;
  /** How `date_done` is written. @default in UTC */
  readonly writeDate?: DateWriter | undefined;
}

const DATED_STATES = new Set<string>(['SUCCESS', 'FAILURE', 'REVOKED']);

/** Builds a meta with its fields in Celery's order. */
export function buildMeta(parts: MetaParts): TaskMeta {
  const { request } = parts;
  const meta: Record<string, unknown> = {
    status: parts.state,
    result: parts.result,
    traceback: parts.traceback,
    children: request ? (request.children ?? []) : null,
    date_done: DATED_STATES.has(parts.state) ? (parts.writeDate ?? isoUtc)(parts.now) : null,
  };
  if (request) {
    if (request.group) meta['group_id'] = request.group;
    if (request.parent_id) meta['parent_id'] = request.parent_id;
    if (parts.extended) addExtended(meta, request);
  }
  meta['task_id'] = parts.taskId;
  return meta as TaskMeta;
}

function addExtended(meta: Record<string, unknown>, request: TaskRequest): void {
  meta['name'] = request.task ?? null;
  meta['args'] = request.args ?? null;
  meta['kwargs'] = request.kwargs ?? null;
  meta['worker'] = request.hostname ?? null;
  meta['retries'] = request.retries === undefined ? 0 : request.retries;
  meta['queue'] = request.delivery_info?.routing_key ?? null;
  const stamps = Object.entries(request.stamps ?? {});
  if (stamps.length === 0) return;
  meta['stamped_headers'] = request.stamped_headers ?? null;
  for (const [stamp, value] of stamps) {
    if (Object.hasOwn(meta, stamp) || stamp === 'task_id') continue;
    // An assignment to `__proto__` would set the prototype.
    Object.defineProperty(meta, stamp, { value, enumerable: true, writable: true, configurable: true });
  }
}
