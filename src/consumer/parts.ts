/** What the consumer is made of. */
import type { ResultCache } from '../cache.ts';
import { WaitFailure, type WaitLimits } from './channel.ts';
import type { Clock } from '../clock.ts';
import { watched, type Warnings } from '../diagnostics.ts';
import { BackendGetMetaError, type LastLook, TimeoutError } from '../errors.ts';
import type { Keys } from '../keys.ts';
import type { TaskMeta } from '../meta.ts';
import type { ChannelSource, ResultStore } from '../ports.ts';
import type { HoldLimits } from './holds.ts';

/** What the consumer is made of. */
export interface ConsumerParts extends HoldLimits {
  readonly store: ResultStore;
  readonly source: ChannelSource;
  readonly keys: Keys;
  readonly cache: ResultCache;
  readonly clock: Clock;
  readonly warnings: Warnings;
  /** Decodes a payload of a task. @throws DecodeError also for one of another task */
  readonly decode: (payload: Uint8Array, taskId: string) => TaskMeta;
  /** Milliseconds between two reads of an awaited key without any message; 0 = never. */
  readonly backstopMs: number;
  /** Milliseconds that the last read at a deadline may take. */
  readonly lastLookMs: number;
}

/** Says, once a backend, that channels are refused. */
export function warnRefused(warnings: Warnings, error: Error): void {
  warnings.warn(
    'CELERY_CHANNEL_REFUSED',
    `Waits of this backend fall back to a slow re-read, since messages do not reach them: ${error.message}`,
  );
}

/** Decodes a payload, or returns and publishes why it is no answer. */
export function tryDecode(parts: ConsumerParts, taskId: string, payload: Uint8Array): TaskMeta | Error {
  try {
    return parts.decode(payload, taskId);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    watched('celery-redis-backend:rejected')?.publish({ taskId, error });
    return error;
  }
}

/** Why a wait for a key that cannot be read ends. */
export function unreadable(taskId: string, cause: unknown): WaitFailure {
  const message = `Cannot wait for task ${taskId}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new WaitFailure('failed', () => new BackendGetMetaError(message, taskId, { cause }));
}

/** Why a wait ends at its limit. */
export function timeoutOf(taskId: string, limits: WaitLimits, lastLook: LastLook): WaitFailure {
  const { timeoutMs = 0, givenMs = timeoutMs } = limits;
  return new WaitFailure('timeout', () => new TimeoutError(taskId, givenMs / 1000, lastLook));
}
