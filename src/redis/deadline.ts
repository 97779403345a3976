/** The time that one command may take. */
import type { Clock, Timer } from '../clock.ts';
import type { RedisStream } from './client.ts';
import { addTraffic, MIB, traffic } from './traffic.ts';

/** Settings of {@link withDeadline}. */
export interface DeadlineOptions {
  readonly clock: Clock;
  /** When the call was accepted, by the clock's `now`. */
  readonly acceptedMs: number;
  readonly timeoutMs: number;
  /** Bytes that this command sends. */
  readonly bytes: number;
  /** The error of the call when its time is over. */
  readonly late: () => Error;
}

/**
 * Runs a command and bounds it: `timeoutMs` since it was accepted, and a second more for each MiB that was sent up to and
 * with it without an answer yet, or has come in since. Redis answers in order, so what comes in is this reply or those before it.
 * A later reply is ignored.
 */
export function withDeadline<T>(stream: RedisStream, send: () => Promise<T>, options: DeadlineOptions): Promise<T> {
  const { clock, acceptedMs, timeoutMs, bytes } = options;
  const outgoing = traffic(stream) + bytes;
  const received = stream.bytesRead;
  const left = (): number => {
    const moved = outgoing + stream.bytesRead - received;
    return acceptedMs + timeoutMs + (moved / MIB) * 1000 - clock.now();
  };
  return new Promise<T>((resolve, reject) => {
    let timer: Timer;
    let settled = false;
    let heard = received;
    const judge = (): void => {
      if (settled) return;
      if (left() > 0) arm();
      else if (stream.bytesRead > heard) look();
      else reject(options.late());
    };
    // After a stall of our own the reply may lie unread in the socket, behind others: all of that comes before the judgement.
    const look = (): void => {
      heard = stream.bytesRead;
      setImmediate(judge);
    };
    const arm = (): void => {
      timer = clock.after(left(), look);
    };
    const answer = send();
    addTraffic(stream, bytes);
    arm();
    const settling =
      <V>(settle: (end: V) => void) =>
      (end: V): void => {
        settled = true;
        timer.cancel();
        addTraffic(stream, -bytes);
        settle(end);
      };
    answer.then(settling(resolve), settling(reject));
  });
}

/**
 * Settles as a promise does, or rejects with `late()` after a time. What the promise comes to later is ignored.
 *
 * @param stopped - rejects at once when it is aborted
 */
export function within<T>(
  promise: Promise<T>,
  clock: Clock,
  ms: number,
  late: () => Error,
  stopped?: AbortSignal,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settle = (): void => {
      timer.cancel();
      stopped?.removeEventListener('abort', stop);
    };
    const stop = (): void => {
      settle();
      reject(new Error('stopped'));
    };
    const timer = clock.after(ms, () => {
      settle();
      reject(late());
    });
    stopped?.addEventListener('abort', stop);
    promise.finally(settle).then(resolve, reject);
  });
}
