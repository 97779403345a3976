/** Processes that return parts of chords: TypeScript's and Python's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Signature } from '../../src/index.ts';
import { Python } from './celery.ts';

/** One task of a chord's header. Its result is its index. */
export interface Part {
  readonly task: string;
  readonly group: string;
  readonly index: number;
  readonly body: Signature;
}

/** A process that returns parts. */
export interface PartWorker extends AsyncDisposable {
  /** Returns parts, some at the same time. Rejects when the process dies. */
  give(parts: readonly Part[]): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('./part-worker.ts', import.meta.url));

/** A process of this package. @param killed - when it kills itself: `'before'` or `'after'` it sent a body */
export class TypeScriptParts implements PartWorker {
  readonly #process: ChildProcess;
  readonly #lines: Interface;

  constructor(url: string, killed: 'before' | 'after' | 'never' = 'never') {
    const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, url, killed], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // It is gone; whoever waits is told so.
    child.stdin.on('error', () => undefined);
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout });
  }

  async give(parts: readonly Part[]): Promise<void> {
    const gone = new AbortController();
    const exit = once(this.#process, 'exit', { signal: gone.signal });
    const answer = once(this.#lines, 'line', { signal: gone.signal });
    this.#process.stdin?.write(`${JSON.stringify({ parts })}\n`);
    try {
      const died = exit.then(() => {
        throw new Error('the process died');
      });
      await Promise.race([answer, died]);
    } finally {
      gone.abort();
      await Promise.allSettled([exit, answer]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.stdin?.end();
    await once(this.#process, 'exit');
  }
}

/** Bodies are sent to the queue `bodies`. */
const GIVE = `
from celery.app.task import Context
for part in parts:
    request = Context(id=part['task'], task='race.part', group=part['group'], group_index=part['index'],
                      chord=part['body'])
    app.backend.mark_as_done(part['task'], part['index'], request=request)
`;

/** A process of Celery. */
export class PythonParts implements PartWorker {
  readonly #python: Python;

  constructor(url: string) {
    this.#python = new Python(url);
  }

  async give(parts: readonly Part[]): Promise<void> {
    await this.#python.run(GIVE, { parts });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#python[Symbol.asyncDispose]();
  }
}

/** A body as it was sent. */
export interface SentBody {
  readonly id: string;
  /** Its one argument: the results of the header. */
  readonly values: unknown;
  readonly sender: string;
}

interface Message {
  readonly headers?: { readonly id: string };
  readonly body?: string;
  readonly id?: string;
  readonly args?: readonly unknown[];
}

/** Reads what is in the list `bodies`: messages of kombu, and ours. */
export function readBodies(messages: readonly string[]): SentBody[] {
  return messages.map((text) => {
    const message = JSON.parse(text) as Message;
    if (message.headers === undefined) {
      return { id: String(message.id), values: message.args?.[0], sender: 'TypeScript' };
    }
    const [args] = JSON.parse(Buffer.from(String(message.body), 'base64').toString()) as [unknown[]];
    return { id: message.headers.id, values: args[0], sender: 'Python' };
  });
}
