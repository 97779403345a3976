/** What a worker tells of the tasks it runs. */
import type { FailureOptions, MarkOptions, StartedOptions } from './arguments.ts';
import type { ChordOutcome, Chords } from './chords/chords.ts';
import type { Clock, Timer } from './clock.ts';
import type { Errbacks } from './errbacks.ts';
import { isId } from './keys.ts';
import type { TaskRequest } from './meta.ts';
import type { StoreOutcome } from './ports.ts';
import type { Signature } from './signature.ts';
import { PROPAGATE_STATES, type TaskState } from './states.ts';
import type { Writer } from './writer.ts';

/** What became of a result: as a store has it, or `'ignored'` when it was not to be stored. */
export type MarkOutcome = StoreOutcome | 'ignored';

/** What workers are served with. */
export interface WorkerParts {
  readonly writer: Writer;
  readonly chords: Chords;
  readonly errbacks: Errbacks;
  readonly clock: Clock;
  /** Whether results are not stored, where a request does not say. */
  readonly ignoreResult: boolean;
  /** Whether failures are stored nevertheless. */
  readonly storeErrors: boolean;
}

/** One state of one task. */
interface Mark {
  readonly taskId: string;
  readonly state: TaskState;
  readonly result: unknown;
  readonly traceback?: string | null | undefined;
  readonly request: TaskRequest | undefined;
  readonly store: boolean;
}

/**
 * States of tasks, with what follows from them: callbacks of errors, parts of chords, the ends of chains. The codec is
 * loaded before any call.
 */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  started(taskId: string, meta: object, { request }: StartedOptions): Promise<MarkOutcome> {
    return this.#mark({ taskId, state: 'STARTED', result: meta, request, store: !this.#isIgnored(request) });
  }

  done(taskId: string, result: unknown, options: MarkOptions): Promise<MarkOutcome> {
    const { request, state = 'SUCCESS', storeResult = true } = options;
    return this.#end({ taskId, state, result, request, store: storeResult && !this.#isIgnored(request) });
  }

  retry(
    taskId: string,
    error: unknown,
    { request, traceback, state = 'RETRY', storeResult }: MarkOptions,
  ): Promise<MarkOutcome> {
    const store = storeResult ?? this.#storesErrors(request);
    return this.#mark({ taskId, state, result: error, traceback, request, store });
  }

  revoked(taskId: string, reason: string, options: MarkOptions): Promise<MarkOutcome> {
    const { request, state = 'REVOKED', storeResult } = options;
    const result = { exc_type: 'TaskRevokedError', exc_message: [reason], exc_module: 'celery.exceptions' };
    return this.#end({ taskId, state, result, request, store: storeResult ?? this.#storesErrors(request) });
  }

  failure(taskId: string, error: unknown, options: FailureOptions): Promise<MarkOutcome> {
    return this.#track(this.#fail(taskId, error, options));
  }

  /** The part of a task, whose result is stored already. */
  async part(request: TaskRequest, state: TaskState, result: unknown): Promise<ChordOutcome> {
    const { chords } = this.#parts;
    const part = chords.prepare(request, state, result);
    return part ? this.#track(chords.arrive(part)) : 'none';
  }

  /** Ends the waits for other workers, and gives what is under way `limitMs` to end. */
  async close(limitMs: number): Promise<void> {
    const { chords, errbacks, clock } = this.#parts;
    chords.close();
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = clock.after(limitMs, resolve);
    });
    await Promise.race([Promise.allSettled(this.#underWay), limit]);
    timer?.cancel();
    chords.abandon();
    errbacks.abandon();
  }

  /**
   * The failure comes first, whatever becomes of the rest: its part of a chord, the rest of its chain, and the error
   * callbacks. What these send is stored with it anew. The first error is thrown when everything was done.
   */
  async #fail(taskId: string, error: unknown, options: FailureOptions): Promise<MarkOutcome> {
    const { request, traceback, state = 'FAILURE', callErrbacks = true } = options;
    const store = options.storeResult ?? this.#storesErrors(request);
    const mark = { taskId, state, result: error, traceback, request, store };
    const errors: unknown[] = [];
    const outcome = await kept(this.#end(mark), errors);
    for (const doomed of neverRun(request?.chain)) {
      const isStored = store && PROPAGATE_STATES.has(state) && doomed.id !== undefined;
      await kept(this.#end({ ...mark, taskId: doomed.id ?? '', request: doomed, store: isStored }), errors);
    }
    if (request && callErrbacks) await kept(this.#callErrbacks(mark, request), errors);
    if (errors.length > 0) throw errors[0];
    return outcome ?? 'ignored';
  }

  async #callErrbacks(mark: Mark, request: TaskRequest): Promise<void> {
    const { taskId, result: error, traceback = null } = mark;
    const call = { request: { ...request, id: request.id ?? taskId }, error, traceback };
    const sent = await this.#parts.errbacks.send(call);
    if (sent.length === 0) return;
    await this.#store({ ...mark, request: { ...request, children: [...(request.children ?? []), ...sent] } });
  }

  /** Stores, then returns the part of the chord, both with the value as it is now. */
  #end(mark: Mark): Promise<MarkOutcome> {
    const arrive = this.#arrival(mark);
    const stored = this.#store(mark);
    return this.#track(
      arrive
        ? stored.then(async (outcome) => {
            await arrive();
            return outcome;
          })
        : stored,
    );
  }

  /** Returns the part of a chord, when it is called. What is wrong with the part must not keep the result from its store. */
  #arrival({ taskId, request, state, result }: Mark): (() => Promise<unknown>) | undefined {
    if (!request?.chord) return undefined;
    const { chords } = this.#parts;
    try {
      const part = chords.prepare({ ...request, id: request.id ?? taskId }, state, result);
      return part ? () => chords.arrive(part) : undefined;
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      return () => Promise.reject(reason);
    }
  }

  #mark(mark: Mark): Promise<MarkOutcome> {
    return this.#track(this.#store(mark));
  }

  #store({ taskId, state, result, traceback, request, store }: Mark): Promise<MarkOutcome> {
    if (!store) return Promise.resolve('ignored');
    return this.#parts.writer.write(taskId, result, state, { traceback, request });
  }

  #isIgnored(request: TaskRequest | undefined): boolean {
    return request?.ignore_result ?? this.#parts.ignoreResult;
  }

  #storesErrors(request: TaskRequest | undefined): boolean {
    return this.#parts.storeErrors || !this.#isIgnored(request);
  }

  #track<T>(call: Promise<T>): Promise<T> {
    this.#underWay.add(call);
    const forget = (): void => {
      this.#underWay.delete(call);
    };
    call.then(forget, forget);
    return call;
  }
}

/** What a call comes to; what it throws is kept for later. */
async function kept<T>(call: Promise<T>, errors: unknown[]): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    errors.push(error);
    return undefined;
  }
}

/** Requests of the tasks of a chain that a failure ends. Of a chord in it, its body never runs either. */
function* neverRun(chain: readonly Signature[] | null | undefined): Generator<TaskRequest, void, undefined> {
  for (const element of Array.isArray(chain) ? (chain as readonly Signature[]) : []) {
    for (let next: unknown = element; isSignature(next); next = bodyOf(next)) yield requestOf(next);
  }
}

function bodyOf({ task, subtask_type: type, kwargs }: Signature): unknown {
  return task === 'celery.chord' || type === 'chord' ? kwargs?.['body'] : undefined;
}

function requestOf({ task, args, kwargs, options }: Signature): TaskRequest {
  const { task_id: id, group_id, group_index, parent_id, root_id, chord } = options ?? {};
  return {
    ...(isId(id) && { id }),
    task,
    ...(args !== undefined && { args }),
    ...(kwargs !== undefined && { kwargs }),
    ...(group_id !== undefined && { group: group_id }),
    ...(group_index !== undefined && { group_index }),
    ...(parent_id !== undefined && { parent_id }),
    ...(root_id !== undefined && { root_id }),
    ...(chord !== undefined && { chord }),
  };
}

function isSignature(value: unknown): value is Signature {
  return typeof value === 'object' && value !== null && 'task' in value && typeof value.task === 'string';
}
