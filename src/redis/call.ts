/** Calls, and who makes them. */
import type { RedisClient } from './client.ts';
import { MIB } from './traffic.ts';

/** One command, or several that are sent as one. */
export interface Call<T> {
  /** For messages: `'GET celery-task-meta-1'`. */
  readonly what: string;
  /** The key, or one of several in the same slot of a cluster; `null` when any node will do. */
  readonly key: string | null;
  /** Its script, if it is one, for messages. */
  readonly lua?: string;
  /** Bytes that it sends. @default 0 */
  readonly bytes?: number;
  /** How long it may take, from its acceptance. @default that of the connection */
  readonly timeoutMs?: number;
  /** Whether it has no deadline once it is sent, and is not waited for by `close`. @default false */
  readonly patient?: boolean;
  /** Sends it. On a cluster that is one command, or one script: all of it is sent again where a redirection leads. */
  readonly send: (client: RedisClient) => Promise<T>;
}

/** How a connection stands: see {@link Connection}. */
export type ConnectionState = 'idle' | 'connecting' | 'ready' | 'lost' | 'refused' | 'closed';

/** Told that a connection became ready, for the first time or again. */
export type ReadyListener = (first: boolean) => void;

/** What makes calls: a {@link Connection}, or the connections to the nodes of a cluster. */
export interface Caller {
  readonly state: ConnectionState;
  /** How often a connection was made anew. */
  readonly reconnects: number;
  /** Who we are to Redis, for messages: `"user 'worker'"`, `'the default user'`. */
  readonly user: string;
  /** Whether keys live on several nodes, so that one command can only have keys of one slot. */
  readonly isCluster: boolean;
  onReady(listener: ReadyListener): void;
  run<T>(call: Call<T>): Promise<T>;
  /** Closes: waits for what is in flight, `graceMs` milliseconds at the most. Idempotent. @default Infinity */
  close(graceMs?: number): Promise<void>;
}

/** Redis hangs up on what is too large for it, most often before anyone has read why. */
export function sizeAdvice({ bytes = 0 }: Pick<Call<unknown>, 'bytes'>): string {
  if (bytes < MIB) return '';
  return ` It sends ${(bytes / MIB).toFixed(1)} MiB: if that breaks the link each time, it is more than proto-max-bulk-len.`;
}
