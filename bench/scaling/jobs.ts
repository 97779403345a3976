/** What a process of a client is asked to do, and how it answers. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Results `from` to `from + count` of a run. Ids of different runs differ. */
export interface Ids {
  readonly run: number;
  readonly from: number;
  readonly count: number;
}

/** Stores. `together`: stores of one turn, which share a script. `perSecond`: the pace; without, as fast as answers come. */
export interface StoreJob extends Ids {
  readonly kind: 'store';
  readonly bytes: number;
  readonly together: number;
  /** Groups under way at once. @default 1 */
  readonly lanes?: number;
  readonly perSecond?: number;
}

/** Reads of results that are there. `together`: reads of one turn, which share an MGET. */
export interface ReadJob extends Ids {
  readonly kind: 'read';
  readonly together: number;
}

/** Begins waits, at a pace or all in one turn. Answers when all are begun. */
export interface WaitJob extends Ids {
  readonly kind: 'wait';
  readonly perSecond?: number;
}

/** Does nothing at a pace, or for some seconds: what a job's figures hold that is not of the job. */
export interface RestJob {
  readonly kind: 'rest';
  readonly count: number;
  readonly perSecond?: number;
  readonly seconds?: number;
}

/** `settled` answers when all waits are settled, `usage` at once, `heap` after a collection. */
export type Job = StoreJob | ReadJob | WaitJob | RestJob | { readonly kind: 'settled' | 'usage' | 'heap' };

/** What a process answers, as of the end of the job. */
export interface Answer {
  /** Microseconds of CPU of this process, user and system, since it began. */
  readonly cpu: number;
  readonly heap: number;
  /** The longest that the event loop did not turn since the last answer, milliseconds. */
  readonly stall: number;
  readonly reconnects: number;
}

/** 36 characters, as a UUID has. */
export function idOf(run: number, index: number): string {
  return `${String(run).padStart(8, '0')}-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

/** A process with one backend. When it fails, so does this one. */
export class Client {
  readonly #child: ChildProcess;

  constructor(url: string) {
    const execArgv = [...process.execArgv, '--expose-gc'];
    this.#child = fork(fileURLToPath(new URL('client.ts', import.meta.url)), [url], { execArgv });
    this.#child.once('exit', (code) => {
      if (code !== 0) process.exit(1);
    });
  }

  async ask(job: Job): Promise<Answer> {
    this.#child.send(job);
    const [answer] = (await once(this.#child, 'message')) as [Answer];
    return answer;
  }

  /** Microseconds of CPU that the process took for a job. */
  async cpuOf(job: Job): Promise<number> {
    const { cpu } = await this.ask({ kind: 'usage' });
    return (await this.ask(job)).cpu - cpu;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
