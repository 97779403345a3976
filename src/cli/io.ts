/** What a command has of the world, and how it prints. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { redact } from './secrets.ts';
import { type Paint, painter, wantsColour } from './style.ts';
import { oneLine, toJson } from './text.ts';

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** What a command has of the world. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `.env` is looked for. */
  readonly cwd: string;
  /** Ends what is under way, with an {@link Interruption} for its reason. */
  readonly signal: AbortSignal;
}

/** Why everything ends at once: a signal, or nobody reads on. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

/** Takes lines in the place of a stream that something else is shown on. */
export type LineSink = (text: string) => void;

/** Prints results to the one stream, what is to be said about them to the other. */
export class Printer {
  readonly io: Io;
  readonly json: boolean;
  readonly paint: Paint;
  readonly paintNote: Paint;
  #secrets: readonly string[] = [];
  #sinks: { readonly out?: LineSink; readonly err?: LineSink } = {};

  constructor(io: Io, json: boolean) {
    this.io = io;
    this.json = json;
    this.paint = painter(!json && wantsColour(io.stdout.isTTY === true, io.env));
    this.paintNote = painter(wantsColour(io.stderr.isTTY === true, io.env));
  }

  /** Never to be shown in notes. */
  hide(secrets: readonly string[]): void {
    this.#secrets = secrets;
  }

  /** Sends lines elsewhere while a display is on the terminal. */
  through(sinks: { readonly out?: LineSink; readonly err?: LineSink }): void {
    this.#sinks = sinks;
  }

  /** One line of results. Waits while the reader is slow. */
  async line(text: string): Promise<void> {
    if (this.#sinks.out) this.#sinks.out(`${text}\n`);
    else if (!this.io.stdout.write(`${text}\n`)) await once(this.io.stdout, 'drain', { signal: this.io.signal });
  }

  /** The same as JSON. */
  async value(value: unknown): Promise<void> {
    await this.line(toJson(value));
  }

  /** Something for people, on standard error, without secrets. */
  note(text: string): void {
    const [first = '', ...others] = this.safe(text).split('\n').map(oneLine);
    const line = `${this.paintNote('dim', 'celery-result:')} ${[first, ...others].join('\n')}\n`;
    if (this.#sinks.err) this.#sinks.err(line);
    else this.io.stderr.write(line);
  }

  /** A text without secrets. */
  safe(text: string): string {
    return redact(text, this.#secrets);
  }
}
