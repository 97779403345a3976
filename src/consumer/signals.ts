/** Abort signals, listened to once each however many waits they govern. */
import { A_TURN, inTurns } from '../turns.ts';

interface Governed<T> {
  readonly members: Set<T>;
  readonly listener: () => void;
}

/** One listener a signal, removed with the signal's last member. Of many, some are told at once, the others in turns to come. */
export class Signals<T> {
  readonly #signals = new Map<AbortSignal, Governed<T>>();
  readonly #onAbort: (member: T, reason: unknown) => void;

  constructor(onAbort: (member: T, reason: unknown) => void) {
    this.#onAbort = onAbort;
  }

  add(signal: AbortSignal, member: T): void {
    const governed = this.#signals.get(signal) ?? this.#listen(signal);
    governed.members.add(member);
  }

  remove(signal: AbortSignal, member: T): void {
    const governed = this.#signals.get(signal);
    if (!governed?.members.delete(member) || governed.members.size > 0) return;
    signal.removeEventListener('abort', governed.listener);
    this.#signals.delete(signal);
  }

  #listen(signal: AbortSignal): Governed<T> {
    const members = new Set<T>();
    const listener = (): void => {
      this.#signals.delete(signal);
      void inTurns(members, A_TURN, (member) => {
        this.#onAbort(member, signal.reason);
      });
    };
    signal.addEventListener('abort', listener, { once: true });
    const governed = { members, listener };
    this.#signals.set(signal, governed);
    return governed;
  }
}

/** Settles as a promise does, or rejects with the signal's reason if that comes first. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let listener: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    listener = (): void => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a reason may be anything
      reject(signal.reason);
    };
    signal.addEventListener('abort', listener, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (listener) signal.removeEventListener('abort', listener);
  }
}

/** Calls back once a signal is aborted that nobody else can have, so that no listener is to be removed. */
export function onAbort(own: AbortSignal, callback: () => void): void {
  own.addEventListener(
    'abort',
    () => {
      callback();
    },
    { once: true },
  );
}
