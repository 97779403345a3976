/**
 * For those who watch: figures, warnings, and Node's diagnostics channels, which cost nothing without a subscriber.
 */
import { channel } from 'node:diagnostics_channel';

/** Names of the diagnostics channels, with what their messages carry. */
export interface DiagnosticEvents {
  /** A connection to Redis came up (`attempt` counts from 1) or was lost. */
  'celery-redis-backend:connection': {
    readonly connection: string;
    readonly state: 'ready' | 'lost';
    readonly attempt: number;
    readonly error?: Error | undefined;
  };
  /** A result was found by the slow re-read, not by its message: its writer does not publish, or the message was lost. */
  'celery-redis-backend:rescued': { readonly taskId: string };
  /** A message or a stored value was no answer: undecodable, or of another task. */
  'celery-redis-backend:rejected': { readonly taskId: string; readonly error: Error };
  /** A store is tried again. */
  'celery-redis-backend:store-retry': { readonly taskId: string; readonly attempt: number; readonly error: Error };
  /** A failure that the callers of an adapter do not look for: it did not reject there. */
  'celery-redis-backend:swallowed': {
    readonly adapter: string;
    readonly operation: string;
    readonly taskId: string | undefined;
    readonly error: Error;
  };
  /** A chord is complete: its body was sent, it failed because a part did, or its body could not be sent. */
  'celery-redis-backend:chord': {
    readonly groupId: string;
    /** The task whose part completed it. */
    readonly taskId: string;
    readonly outcome: 'sent' | 'failed' | 'unsent';
    readonly error?: Error | undefined;
  };
  /** What was also given to `process.emitWarning`. */
  'celery-redis-backend:warning': { readonly code: WarningCode; readonly message: string };
}

/** Figures of one backend, as of now. */
export interface BackendStats {
  /** Waits that are not settled. */
  readonly waits: number;
  /** Channels subscribed, or being so. */
  readonly channels: number;
  /** Tasks that `onTaskCall` was called for, and that nobody has waited for yet. */
  readonly held: number;
  /** Tasks with stores under way. */
  readonly stores: number;
  /** Results in the cache, their payload bytes, and how many reads and waits it answered. */
  readonly cached: number;
  readonly cachedBytes: number;
  readonly cacheHits: number;
  /** Tries of a store that were not the first. */
  readonly storeRetries: number;
  /** Connections made anew. */
  readonly reconnects: number;
  /** Results that no message announced. Should be 0. */
  readonly rescued: number;
}

/** Codes of the warnings, each emitted once a backend. */
export type WarningCode =
  | 'CELERY_CHANNEL_REFUSED'
  | 'CELERY_UNANNOUNCED'
  | 'CELERY_CONNECTION'
  | 'CELERY_ERRBACKS_UNSENT'
  | 'CELERY_CHORD_LEFT'
  | 'CELERY_SWALLOWED';

/** Publishes one event. A subscriber that throws does so in its own turn: Node reports it, and the publisher goes on. */
export function publish<N extends keyof DiagnosticEvents>(name: N, message: DiagnosticEvents[N]): void {
  const events = channel(name);
  if (events.hasSubscribers) events.publish(message);
}

/** Emits each warning once. */
export class Warnings {
  readonly #given = new Set<WarningCode>();

  warn(code: WarningCode, message: string): void {
    if (this.#given.has(code)) return;
    this.#given.add(code);
    process.emitWarning(message, { type: 'CeleryRedisBackendWarning', code });
    publish('celery-redis-backend:warning', { code, message });
  }
}
