/** A store and a source whose answers the test gives, one by one. */
import { BackendError } from '../../src/errors.ts';
import type { ChannelListener, ChannelSource, ResultStore, StoreOutcome } from '../../src/ports.ts';

/** A question that waits for its answer. */
export interface Asked<T> {
  readonly keys: readonly string[];
  answer(value: T): void;
  readonly fail: (error?: Error) => void;
}

type Payloads = (Uint8Array | null)[];
type Refusals = readonly (Error | null)[];

export const outage = (): BackendError => new BackendError('out of reach', { code: 'CELERY_BACKEND_UNAVAILABLE' });

/** The reads of one turn. */
interface Batch {
  readonly keys: string[];
  readonly payloads: Promise<Payloads>;
  /** Its place in the log. */
  readonly line: number;
}

export class ScriptedDriver implements ResultStore, ChannelSource {
  usable = true;
  readonly reads: Asked<Payloads>[] = [];
  readonly subscribes: Asked<Refusals>[] = [];
  /** Channels of each UNSUBSCRIBE, in order. */
  readonly unsubscribes: Asked<Refusals>[] = [];
  /** Every command with its keys, in order. */
  readonly log: string[] = [];
  listener!: ChannelListener;
  #batch: Batch | undefined;

  listen(listener: ChannelListener): void {
    this.listener = listener;
  }

  /** Those of one turn are one question, as of a store. */
  async read(key: string): Promise<Uint8Array | null> {
    const place = this.#batch?.keys.length ?? 0;
    this.#batch ??= this.#begin();
    this.#batch.keys.push(key);
    this.log[this.#batch.line] = ['GET', ...this.#batch.keys].join(' ');
    return (await this.#batch.payloads)[place] ?? null;
  }

  readMany(keys: readonly string[]): Promise<Payloads> {
    return this.#ask('GET', this.reads, keys);
  }

  subscribe(channels: readonly string[]): Promise<Refusals> {
    return this.#ask('SUBSCRIBE', this.subscribes, channels);
  }

  unsubscribe(channels: readonly string[]): Promise<Refusals> {
    return this.#ask('UNSUBSCRIBE', this.unsubscribes, channels);
  }

  write(): Promise<StoreOutcome> {
    return Promise.reject(new Error('not scripted'));
  }

  remove(): Promise<void> {
    return Promise.reject(new Error('not scripted'));
  }

  #begin(): Batch {
    queueMicrotask(() => {
      this.#batch = undefined;
    });
    const keys: string[] = [];
    const payloads = this.#ask('GET', this.reads, keys);
    return { keys, payloads, line: this.log.length - 1 };
  }

  #ask<T>(command: string, list: Asked<T>[], keys: readonly string[]): Promise<T> {
    this.log.push([command, ...keys].join(' '));
    return new Promise<T>((resolve, reject) => {
      list.push({
        keys,
        answer: resolve,
        fail: (error = outage()) => {
          reject(error);
        },
      });
    });
  }
}
