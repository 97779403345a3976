/** The ports in one process, for demos and for unit tests of those who use the package. */
import type { Clock } from '../clock.ts';
import { BackendClosedError } from '../errors.ts';
import type { ChannelListener, ChannelSource, ChordStore, Driver, ResultStore, StoreOutcome, Write } from '../ports.ts';
import { MemoryChords } from './chords.ts';
import { closeSpace, openSpace, type Space } from './space.ts';

/**
 * Opens `memory://` or `memory://<name>`. Backends of the same URL in one process share their results; they are gone
 * when the last one closes.
 */
export function createMemoryDriver(url: string, clock: Clock): Driver {
  return new MemoryDriver(url, openSpace(url, clock));
}

/** open -> closed */
class MemoryDriver implements Driver, ResultStore, ChannelSource {
  readonly usable = true;
  readonly chords: ChordStore;
  readonly #url: string;
  readonly #space: Space;
  readonly #subscribed = new Set<string>();
  #listener: ChannelListener | undefined;
  #closed = false;

  constructor(url: string, space: Space) {
    this.#url = url;
    this.#space = space;
    this.chords = new MemoryChords(space, () => this.#turn());
  }

  get store(): ResultStore {
    return this;
  }

  get source(): ChannelSource {
    return this;
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener;
  }

  async connect(): Promise<void> {
    await this.#turn();
  }

  async ping(): Promise<number> {
    await this.#turn();
    return 0;
  }

  reconnects(): number {
    return 0;
  }

  uri(): string {
    return this.#url;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      for (const channel of this.#subscribed) this.#space.unsubscribe(channel, this.#sink);
      this.#subscribed.clear();
      closeSpace(this.#url);
    }
    return Promise.resolve();
  }

  async read(key: string): Promise<Uint8Array | null> {
    await this.#turn();
    return this.#space.get(key);
  }

  async readMany(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    await this.#turn();
    return keys.map((key) => this.#space.get(key));
  }

  async write({ key, payload, ttl, guard }: Write): Promise<StoreOutcome> {
    await this.#turn();
    const present = this.#space.get(key);
    if (present && guard?.isSuccess(present)) return 'kept';
    const bytes = Buffer.from(payload);
    this.#space.set(key, bytes, ttl);
    this.#space.publish(key, bytes);
    return 'stored';
  }

  async remove(key: string): Promise<void> {
    await this.#turn();
    this.#space.delete(key);
  }

  async subscribe(channels: readonly string[]): Promise<readonly (Error | null)[]> {
    await this.#turn();
    for (const channel of channels) {
      this.#subscribed.add(channel);
      this.#space.subscribe(channel, this.#sink);
    }
    return channels.map(() => null);
  }

  unsubscribe(channels: readonly string[]): Promise<readonly (Error | null)[]> {
    for (const channel of channels) {
      this.#subscribed.delete(channel);
      this.#space.unsubscribe(channel, this.#sink);
    }
    return Promise.resolve(channels.map(() => null));
  }

  readonly #sink = (channel: string, payload: Uint8Array): void => {
    this.#listener?.onMessage(channel, payload);
  };

  /** Answers in a later turn, as a network would. */
  async #turn(): Promise<void> {
    this.#checkOpen();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#closed) throw new BackendClosedError();
  }
}
