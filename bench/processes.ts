/** The processes of a run. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a worker.ts is started for. */
export interface Part {
  readonly question: string;
  readonly competitor: string;
  readonly port: number;
  readonly role: 'measure' | 'assist' | 'load';
  readonly quick: boolean;
}

/** Milliseconds that one request may take: far more than any needs that will ever be answered. */
const LIMIT_MS = 300_000;

/** A process that measures, assists or makes a load. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string | null>;

  constructor(part: Part, execArgv: readonly string[] = process.execArgv) {
    const file = fileURLToPath(new URL('worker.ts', import.meta.url));
    this.#child = fork(file, [JSON.stringify(part)], { execArgv: [...execArgv] });
    this.#ended = once(this.#child, 'exit').then(([code, signal]) => (signal ?? code) as number | string | null);
  }

  /**
   * Sends a request and resolves with the answer.
   *
   * @throws Error when the process has ended, or does not answer; it is killed then
   */
  async ask(request: readonly string[]): Promise<readonly number[]> {
    const limit = new AbortController();
    const timer = setTimeout(() => {
      limit.abort(new Error(`no answer within ${LIMIT_MS / 1000} s`));
    }, LIMIT_MS);
    void this.#ended.then((how) => {
      limit.abort(new Error(`its process ended by ${how}`));
    });
    try {
      this.#child.send(request);
      const [answer] = (await once(this.#child, 'message', { signal: limit.signal })) as [readonly (number | null)[]];
      // NaN does not pass through JSON.
      return answer.map((figure) => figure ?? NaN);
    } catch (error) {
      this.#child.kill('SIGKILL');
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}
