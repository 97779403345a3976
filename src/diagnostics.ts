/**
 * For those who watch: figures, warnings, and Node's diagnostics channels, which cost next to nothing without a subscriber.
 */
import { channel } from 'node:diagnostics_channel';
import type { LastLook } from './errors.ts';
import type { StoreOutcome } from './ports.ts';

/**
 * How a wait had its result: `'cache'`: it was known; `'held'`: `onTaskCall` had it; `'message'`: it was published;
 * `'read'`: by the read that follows a subscription, or that of `asCompleted` or of a timeout of 0; `'backstop'`: by the
 * slow re-read; `'last look'`: by the read at the deadline.
 */
export type AnsweredBy = 'cache' | 'held' | 'message' | 'read' | 'backstop' | 'last look';

/** What became of a wait: the task is ready, be it that it failed; or why the wait ended before that. */
export type WaitOutcome = 'ready' | 'timeout' | 'aborted' | 'closed' | 'failed';

/** A result that no message brought. */
export interface LateResult {
  readonly taskId: string;
  /**
   * Seconds that the longest wait for it had lasted, so that it is late by no more than that. Undefined when that began
   * before anyone listened.
   */
  readonly duration: number | undefined;
}

/** Names of the diagnostics channels, with what their messages carry. */
export interface DiagnosticEvents {
  /**
   * A connection to Redis came up (`attempt` counts from 1), was lost, or its login was refused: at first, where calls
   * reject, each time; and in an outage, once.
   */
  'celery-redis-backend:connection': {
    readonly connection: string;
    readonly state: 'ready' | 'lost' | 'refused';
    readonly attempt: number;
    /** Whether it came up for the first time, or was lost or refused before it ever did. */
    readonly first: boolean;
    /** Of one that is ready: seconds since it was lost; undefined when its first attempt succeeded. */
    readonly downFor?: number | undefined;
    /** Why it was lost or refused; sanitised. */
    readonly error?: Error | undefined;
  };
  /**
   * A wait has settled: each once, those of `asCompleted` and of joins for each task. Published in the async context of
   * whoever waits.
   */
  'celery-redis-backend:wait': {
    readonly taskId: string;
    readonly outcome: WaitOutcome;
    /** The state of a task that is ready. */
    readonly status?: string | undefined;
    /** Of a task that is ready. */
    readonly by?: AnsweredBy | undefined;
    /** When a task that is ready was done, by the clock of its worker; in ISO 8601, without an offset UTC. */
    readonly dateDone?: string | undefined;
    /** Seconds. */
    readonly duration: number;
    /** What the wait rejected with, unless the task is ready; undefined, or an AbortError, for whoever stopped to listen. */
    readonly error?: unknown;
  };
  /** A wait has come to its limit; `celery-redis-backend:wait` tells of it as well. In the context of whoever waits. */
  'celery-redis-backend:timeout': {
    readonly taskId: string;
    /** The limit, in seconds. */
    readonly timeout: number;
    /** How long the wait was, with its last look, in seconds. */
    readonly duration: number;
    readonly lastLook: LastLook;
  };
  /** After a connection was made anew a read found the result of a wait before any message: it was published in between. */
  'celery-redis-backend:healed': LateResult;
  /** A result was found by the slow re-read, not by its message: its writer does not publish, or the message was lost. */
  'celery-redis-backend:rescued': LateResult;
  /** A message or a stored value was no answer: undecodable, or of another task. */
  'celery-redis-backend:rejected': { readonly taskId: string; readonly error: Error };
  /** A store settled: of a result, a saved group or the size of a chord. In the async context of its call. */
  'celery-redis-backend:store': {
    /** The task, or the group. */
    readonly taskId: string;
    /** Empty for a group. */
    readonly state: string;
    readonly outcome: StoreOutcome | 'failed';
    /** Seconds since it was accepted. */
    readonly duration: number;
    /** Tries; 0 when it was not accepted, or another store of its task was under way until the end. */
    readonly attempts: number;
    /** Bytes of the payload. */
    readonly bytes: number;
    /** What its call rejected with. */
    readonly error?: Error | undefined;
    /** Of the request: the task's name, and the trace of whoever sent it, as W3C writes it. */
    readonly task?: string | undefined;
    readonly traceparent?: string | undefined;
    readonly tracestate?: string | undefined;
  };
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
  /** Channels subscribed, being so, or not let go of yet: under load up to 10,000 of those. */
  readonly channels: number;
  /** Tasks that `onTaskCall` was called for, and that nobody has waited for yet. */
  readonly held: number;
  /** Stores that are not settled, retries and chord parts among them, and their payload bytes. */
  readonly stores: number;
  readonly storeBytes: number;
  /** Results in the cache, their payload bytes, and how many reads and waits it answered. */
  readonly cached: number;
  readonly cachedBytes: number;
  readonly cacheHits: number;
  /** Tries of a store that were not the first. */
  readonly storeRetries: number;
  /** Connections made anew. */
  readonly reconnects: number;
  /** Results that were read after a connection was made anew, before any message: they were published in between. */
  readonly healed: number;
  /** Results that the slow re-read found before any message. Should be 0. */
  readonly rescued: number;
  /** Results that the last read at a deadline found before any message. Should be 0. */
  readonly foundAtDeadline: number;
  /** Tasks whose waits came to their limit. */
  readonly timeouts: number;
}

/** Codes of the warnings, each emitted once a backend. */
export type WarningCode =
  | 'CELERY_CHANNEL_REFUSED'
  | 'CELERY_CHANNEL_KEPT'
  | 'CELERY_UNANNOUNCED'
  | 'CELERY_CONNECTION'
  | 'CELERY_LOGIN_REFUSED'
  | 'CELERY_ERRBACKS_UNSENT'
  | 'CELERY_CHORD_LEFT'
  | 'CELERY_STORES_LOST'
  | 'CELERY_SWALLOWED';

/** Where one kind of event is published. */
export interface EventChannel<N extends keyof DiagnosticEvents> {
  /** A subscriber that throws does so in its own turn: Node reports it as uncaught, and the publisher goes on. */
  publish(message: DiagnosticEvents[N]): void;
}

/** By name, so that no event looks its channel up. */
const channels: { [N in keyof DiagnosticEvents]?: ReturnType<typeof channel> } = {};

/** The channel, if anyone listens to it: `watched(name)?.publish(message)` makes no message for nobody. */
export function watched<N extends keyof DiagnosticEvents>(name: N): EventChannel<N> | undefined {
  const events = (channels[name] ??= channel(name));
  return events.hasSubscribers ? events : undefined;
}

/** Publishes an event that is at hand. */
export function publish<N extends keyof DiagnosticEvents>(name: N, message: DiagnosticEvents[N]): void {
  watched(name)?.publish(message);
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
