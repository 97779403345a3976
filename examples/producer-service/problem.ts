/** What goes wrong, as a client is told: an HTTP status, and a code to match on. */
import {
  BackendError,
  CeleryError,
  InvalidArgumentError,
  RemoteError,
  ResultInvalidError,
  SendError,
  TimeoutError,
} from 'celery-redis-backend';
import { z } from 'zod';

export interface Problem {
  /** `CELERY_...`, `FST_...` of Fastify, or `INVALID_REQUEST`, `NOT_FOUND`, `INTERNAL`. */
  readonly code: string;
  readonly message: string;
  /** The class of a task's exception. */
  readonly type?: string;
  /** Where it was raised. */
  readonly traceback?: string | null;
}

/** The problem that an error is. Of one that nobody foresaw the message stays here. */
export function problemOf(error: unknown): Problem {
  if (error instanceof RemoteError) {
    return { code: error.code, type: error.excType, message: error.message, traceback: error.traceback };
  }
  if (error instanceof CeleryError) return { code: error.code, message: error.message };
  if (error instanceof z.ZodError) return { code: 'INVALID_REQUEST', message: z.prettifyError(error) };
  if (isRefusal(error)) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: 'The service failed.' };
}

/** The HTTP status of an error. */
export function statusOf(error: unknown): number {
  if (error instanceof z.ZodError || error instanceof InvalidArgumentError) return 400;
  // The task goes on: ask again.
  if (error instanceof TimeoutError) return 202;
  // The task was run, and this is how it ended.
  if (error instanceof RemoteError) return 200;
  if (error instanceof ResultInvalidError) return 502;
  if (error instanceof BackendError || error instanceof SendError) return 503;
  return isRefusal(error) ? error.statusCode : 500;
}

/** Whether it is a request that Fastify refused. */
function isRefusal(error: unknown): error is Error & { readonly code: string; readonly statusCode: number } {
  return error instanceof Error && 'statusCode' in error && 'code' in error && Number(error.statusCode) < 500;
}
