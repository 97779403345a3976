/** Counts the tasks of chords, and sends the body after the last one. */
import { randomUUID } from 'node:crypto';

import { Abandonable } from '../abandonable.ts';
import type { CeleryApp } from '../arguments.ts';
import { ChordBodies, type ChordFailure } from './body.ts';
import { Lease } from './lease.ts';
import type { HeaderResults } from './results.ts';
import type { Clock } from '../clock.ts';
import type { Codec } from '../codec.ts';
import { watched, type Warnings } from '../diagnostics.ts';
import {
  BackendClosedError,
  BackendError,
  BackendStoreError,
  ImproperlyConfigured,
  InvalidArgumentError,
} from '../errors.ts';
import type { Groups } from '../groups.ts';
import { checkId, isId, type Keys } from '../keys.ts';
import type { TaskRequest } from '../meta.ts';
import { show } from '../option-checks.ts';
import { Pauses } from '../pauses.ts';
import type { ChordPart, ChordStore, ResultStore, StoreOutcome } from '../ports.ts';
import { errorRepr } from '../python-repr.ts';
import type { Signature } from '../signature.ts';
import type { TaskState } from '../states.ts';
import type { Storer } from '../storer.ts';

/**
 * What came of a part: `'none'`: the task is in no chord; `'counting'`: recorded, others are missing, or the size is not
 * known; `'sent'`: the chord is complete and this call sent its body; `'failed'`: complete, and its body failed because a
 * part did; `'elsewhere'`: another worker saw to it.
 */
export type ChordOutcome = 'none' | 'counting' | 'sent' | 'failed' | 'elsewhere';

/** What chords are made of. */
export interface ChordParts {
  readonly app: CeleryApp;
  readonly store: ResultStore;
  readonly chords: ChordStore;
  readonly keys: Keys;
  readonly codec: Codec;
  readonly storer: Storer;
  readonly groups: Groups;
  readonly bodies: ChordBodies;
  readonly results: HeaderResults;
  readonly clock: Clock;
  readonly warnings: Warnings;
  /** Whole seconds; `null` for ever. */
  readonly ttl: number | null;
  readonly ordered: boolean;
  readonly leaseMs: number;
}

/** A part whose value is encoded. */
export interface PreparedPart {
  readonly taskId: string;
  readonly state: TaskState;
  readonly groupId: string;
  readonly body: Signature;
  readonly part: ChordPart;
}

/** Looks at a complete chord in the time of a lease. */
const LOOKS = 5;
/** Leases that a worker waits for another one, which gives signs of life all the while. */
const PATIENCE = 3;

/**
 * Chords as their parts see them. The codec is loaded before any call.
 *
 * ```
 * counting    parts are missing
 * claimed     complete; one worker reads the results and sends the body, and gives signs of life
 * open        complete; the body could not be sent: the next part that is returned claims the chord
 * failed      complete, and a part failed: the keys are left to expire, as in Celery
 * gone        the body was sent: the keys are deleted
 *
 * counting -> claimed                   the part that makes the count equal to the size, in the same step
 * claimed -> gone | failed | open       see above
 * claimed -> claimed                    another worker, whose part comes again, after a lease without a sign of life
 * open -> claimed                       the next part
 * ```
 */
export class Chords {
  readonly #parts: ChordParts;
  readonly #pauses: Pauses;
  /** How to end the wait for each body that is being sent. */
  readonly #sending = new Abandonable();

  constructor(parts: ChordParts) {
    this.#parts = parts;
    this.#pauses = new Pauses(parts.clock);
  }

  /** @throws InvalidArgumentError, BackendStoreError */
  setSize(groupId: string, size: number): Promise<StoreOutcome> {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new InvalidArgumentError(`size: expected a whole number, 0 or more; got ${show(size)}.`);
    }
    const { store, keys, storer, ttl } = this.#parts;
    const payload = String(size);
    const write = { key: keys.chord(groupId).size, payload, ttl, guard: null };
    const what = `store the size of chord ${groupId}`;
    return storer.store({ taskId: groupId, state: '', bytes: payload.length, what, write: () => store.write(write) });
  }

  /** Not tried again: it may have been counted although the reply was lost. @throws BackendStoreError */
  async add(groupId: string): Promise<number> {
    const { chords, keys } = this.#parts;
    try {
      return await chords.grow(keys.chord(groupId));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BackendStoreError(`Could not add a task to chord ${groupId}: ${reason}`, groupId, '', { cause });
    }
  }

  /** The part of a task as its value is now; null when it is in no chord. @throws EncodeError, InvalidArgumentError */
  prepare(request: TaskRequest, state: TaskState, result: unknown): PreparedPart | null {
    const { id: taskId, group: groupId, group_index: index, chord: body } = request;
    if (!isId(taskId) || !groupId || !body) return null;
    checkId(groupId, 'group id');
    const { keys, codec, ttl, ordered, leaseMs } = this.#parts;
    const part = {
      ...codec.encodePart(taskId, state, result),
      keys: keys.chord(groupId),
      score: typeof index === 'number' && Number.isFinite(index) ? index : Infinity,
      token: randomUUID(),
      ordered,
      ttl,
      leaseMs,
    };
    return { taskId, state, groupId, body, part };
  }

  /**
   * Records a part, and completes the chord if it was the last one.
   *
   * @throws ImproperlyConfigured before anything is sent, when the application cannot send bodies
   * @throws BackendError `CELERY_CHORD_UNSENT` when it did not send this one; BackendStoreError, BackendClosedError
   */
  async arrive(prepared: PreparedPart): Promise<ChordOutcome> {
    const { app, chords } = this.#parts;
    const { taskId, groupId, body, part } = prepared;
    if (typeof app.applySignature !== 'function') {
      throw new ImproperlyConfigured(
        `app.applySignature: expected a function, which sends the body of chord ${groupId}, as task ${taskId} is a ` +
          `part of it; got ${show(app.applySignature)}. The part was not recorded.`,
      );
    }
    const bytes = Buffer.byteLength(part.member);
    const { state } = await this.#retried(prepared, () => chords.record(part), bytes);
    if (state === 'claimed' || state === 'reclaimed') return this.#complete(prepared, state === 'claimed');
    if (state === 'complete') return this.#follow(prepared);
    if (state === 'malformed' && !(await this.#parts.bodies.isSettled(body))) {
      return this.#fail(prepared, { text: "Join error: ValueError('the size of the chord is no number')" });
    }
    return state === 'counting' ? 'counting' : 'elsewhere';
  }

  /** Ends the waits for others. */
  close(): void {
    this.#pauses.close();
  }

  /** Waits no longer for bodies that are being sent. */
  abandon(): void {
    this.#sending.abandon();
  }

  /**
   * The chord was complete before this part. A worker of Celery that sends the body now has no lock, and one with a lock
   * may be gone, so that a lease decides: who finds the chord still there takes it over.
   */
  async #follow(prepared: PreparedPart): Promise<ChordOutcome> {
    const { bodies, chords, leaseMs } = this.#parts;
    for (let look = 1; look <= LOOKS * PATIENCE; look += 1) {
      if (await bodies.isSettled(prepared.body)) break;
      if (!(await this.#pauses.wait(leaseMs / LOOKS))) throw new BackendClosedError();
      const take = look >= LOOKS;
      const { state } = await this.#retried(prepared, () => chords.takeOver(prepared.part, take));
      if (state === 'claimed') return this.#complete(prepared, false);
      if (state !== 'busy' && state !== 'free') break;
    }
    return 'elsewhere';
  }

  /** @param isFirst - whether nobody has tried before */
  async #complete(prepared: PreparedPart, isFirst: boolean): Promise<ChordOutcome> {
    const { chords, bodies, results, clock, ttl } = this.#parts;
    const { groupId, body, part } = prepared;
    const lease = new Lease(chords, part, clock);
    lease.start();
    try {
      if (!isFirst && (await bodies.isSettled(body))) return await this.#finish(prepared, 'elsewhere');
      const header = await results.read(groupId, part);
      if (!(await lease.held())) return 'elsewhere';
      if (!('failure' in header)) return await this.#send(prepared, header.values);
      const outcome = await this.#fail(prepared, header.failure);
      await this.#retried(prepared, () => chords.release(part, false, ttl));
      return outcome;
    } catch (error) {
      await this.#reopen(prepared);
      throw error;
    } finally {
      await lease.stop();
    }
  }

  async #send(prepared: PreparedPart, values: readonly unknown[]): Promise<ChordOutcome> {
    const { bodies } = this.#parts;
    const { groupId, taskId, body } = prepared;
    try {
      await this.#sending.wait(bodies.send(body, values));
    } catch (cause) {
      if (cause instanceof BackendClosedError) throw cause;
      const error = cause instanceof Error ? cause : new Error(String(cause));
      watched('celery-redis-backend:chord')?.publish({ groupId, taskId, outcome: 'unsent', error });
      await bodies.fail(body, ChordBodies.unsent(errorRepr(cause)));
      throw new BackendError(
        `The body of chord ${groupId} could not be sent: ${error.message}. Its failure is stored; the next part that ` +
          'is returned, such as that of this task when it is delivered again, sends it anew.',
        { code: 'CELERY_CHORD_UNSENT', cause },
      );
    }
    watched('celery-redis-backend:chord')?.publish({ groupId, taskId, outcome: 'sent' });
    return this.#finish(prepared, 'sent');
  }

  /** Deletes the keys. The body is on its way, so that failing would only have it sent again. */
  async #finish(prepared: PreparedPart, outcome: ChordOutcome): Promise<ChordOutcome> {
    const { chords, warnings } = this.#parts;
    try {
      await this.#retried(prepared, () => chords.finish(prepared.part.keys));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const what = `The keys of chord ${prepared.groupId}, whose body was sent, were not deleted and will expire`;
      warnings.warn('CELERY_CHORD_LEFT', `${what}: ${reason}`);
    }
    return outcome;
  }

  async #fail({ groupId, taskId, body }: PreparedPart, failure: ChordFailure): Promise<ChordOutcome> {
    await this.#parts.bodies.fail(body, failure);
    watched('celery-redis-backend:chord')?.publish({
      groupId,
      taskId,
      outcome: 'failed',
      error: new Error(failure.text),
    });
    return 'failed';
  }

  async #reopen({ part }: PreparedPart): Promise<void> {
    const { chords, ttl } = this.#parts;
    try {
      await chords.release(part, true, ttl);
    } catch {
      // Without a sign of life the claim lapses by itself.
    }
  }

  #retried<T>({ taskId, state, groupId }: PreparedPart, write: () => Promise<T>, bytes = 0): Promise<T> {
    return this.#parts.storer.run({ taskId, state, bytes, what: `record task ${taskId} in chord ${groupId}`, write });
  }
}
