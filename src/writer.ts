/** Writes metas: what {@link Reader} is for the other way. */
import type { StoreOptions } from './arguments.ts';
import type { Clock } from './clock.ts';
import type { Codec } from './codec.ts';
import type { DateWriter } from './dates.ts';
import type { Keys } from './keys.ts';
import { buildMeta } from './meta.ts';
import type { ResultStore, StoreOutcome } from './ports.ts';
import { EXCEPTION_STATES, type TaskState } from './states.ts';
import type { Storer } from './storer.ts';

/** What metas are written with. */
export interface WriterParts {
  readonly store: ResultStore;
  readonly keys: Keys;
  readonly codec: Codec;
  readonly storer: Storer;
  readonly clock: Clock;
  /** Whole seconds a result lives; `null` for ever. */
  readonly ttl: number | null;
  /** Whether to add the fields of `resultExtended`. */
  readonly extended: boolean;
  readonly writeDate: DateWriter;
}

/** Task keys. The codec is loaded before any call. */
export class Writer {
  readonly #parts: WriterParts;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** Encodes the value as it is now, and stores it in its turn. @throws EncodeError, BackendStoreError */
  write(taskId: string, result: unknown, state: TaskState, options: StoreOptions): Promise<StoreOutcome> {
    const { store, keys, codec, storer, clock, ttl, extended, writeDate } = this.#parts;
    const stored = EXCEPTION_STATES.has(state) ? codec.encodeError(result, state) : { result, traceback: null };
    const meta = buildMeta({
      taskId,
      state,
      result: stored.result,
      traceback: options.traceback ?? stored.traceback,
      request: options.request,
      extended,
      now: clock.wall(),
      writeDate,
    });
    const payload = codec.encodeMeta(meta);
    const write = { key: keys.task(taskId), payload, ttl, guard: codec.guard };
    const bytes = Buffer.byteLength(payload);
    return storer.store({ taskId, state, bytes, request: options.request, write: () => store.write(write) });
  }
}
