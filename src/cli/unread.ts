/** Lines for a reader who may be slow: what comes meanwhile is bounded. */

/** How much may be unread: of more the oldest lines are dropped. */
export interface UnreadLimits {
  readonly lines: number;
  readonly bytes: number;
}

/** What is to be printed, or to be told that its turn has come. */
interface Entry {
  readonly line?: string;
  readonly bytes: number;
  readonly settle?: (failure?: Error) => void;
}

/**
 * Prints lines one after another, each once the reader has taken the one before.
 *
 * Whoever adds never waits. A line is dropped while it is unread only, and never the newest.
 */
export class Unread {
  readonly #print: (line: string) => Promise<void>;
  readonly #limits: UnreadLimits;
  readonly #onDrop: () => void;
  /** In their order. */
  readonly #entries = new Set<Entry>();
  /** Those of them that may be dropped. */
  readonly #lines = new Set<Entry>();
  #bytes = 0;
  #printing = false;
  #failure: Error | undefined;

  /** @param onDrop - called for each line that is dropped */
  constructor(print: (line: string) => Promise<void>, limits: UnreadLimits, onDrop: () => void) {
    this.#print = print;
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  /** Adds a line. After a failure there is nobody to read it. */
  add(line: string): void {
    if (this.#failure) return;
    const entry = { line, bytes: Buffer.byteLength(line) };
    this.#lines.add(entry);
    this.#bytes += entry.bytes;
    this.#enter(entry);
    while (this.#isTooMuch()) this.#dropOldest();
  }

  /** Resolves once all that was added before was printed or dropped. @throws why something could not be printed */
  turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (failure?: Error): void => {
        if (failure) reject(failure);
        else resolve();
      };
      if (this.#failure) settle(this.#failure);
      else this.#enter({ bytes: 0, settle });
    });
  }

  #enter(entry: Entry): void {
    this.#entries.add(entry);
    if (!this.#printing) void this.#printAll();
  }

  #isTooMuch(): boolean {
    const { lines, bytes } = this.#limits;
    return this.#lines.size > lines || (this.#bytes > bytes && this.#lines.size > 1);
  }

  #dropOldest(): void {
    for (const oldest of this.#lines) {
      this.#remove(oldest);
      this.#onDrop();
      return;
    }
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry);
    if (this.#lines.delete(entry)) this.#bytes -= entry.bytes;
  }

  /** Each time from the start: an iterator that pauses would keep what is dropped meanwhile. */
  async #printAll(): Promise<void> {
    this.#printing = true;
    for (let [entry] = this.#entries; entry; [entry] = this.#entries) {
      this.#remove(entry);
      try {
        if (entry.line !== undefined && !this.#failure) await this.#print(entry.line);
      } catch (error) {
        this.#failure = error instanceof Error ? error : new Error(String(error));
      }
      entry.settle?.(this.#failure);
    }
    this.#printing = false;
  }
}
