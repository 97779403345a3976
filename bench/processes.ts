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

/** A process that measures, assists or makes a load. When it fails, so does this one. */
export class Worker {
  readonly #child: ChildProcess;

  constructor(part: Part, execArgv: readonly string[] = process.execArgv) {
    const file = fileURLToPath(new URL('worker.ts', import.meta.url));
    this.#child = fork(file, [JSON.stringify(part)], { execArgv: [...execArgv] });
    this.#child.once('exit', (code, signal) => {
      if (code === 0) return;
      console.error(
        `${part.competitor}, ${part.question}: its process (${part.role}) ended by ${signal ?? code ?? '?'}`,
      );
      process.exit(1);
    });
  }

  /** Sends a request and resolves with the answer. */
  async ask(request: readonly string[]): Promise<readonly number[]> {
    this.#child.send(request);
    const [answer] = (await once(this.#child, 'message')) as [readonly (number | null)[]];
    // NaN does not pass through JSON.
    return answer.map((figure) => figure ?? NaN);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
