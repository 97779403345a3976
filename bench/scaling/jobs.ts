/** What a process of a client is asked to do, and how it answers. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** So many results of a run, from `from` (0) on, each `step`th (1). Ids of different runs differ. */
export interface Ids {
  readonly run: number;
  readonly count: number;
  readonly from?: number;
  readonly step?: number;
  /** How many a second, at random moments; without it all at once. */
  readonly perSecond?: number;
}

/** Stores. `lanes`: without a pace, so many under way at once, each begun when one is answered. */
export interface StoreJob extends Ids {
  readonly kind: 'store';
  readonly bytes: number;
  readonly lanes?: number;
}

/** Begins waits. Answers when all are begun. */
export interface WaitJob extends Ids {
  readonly kind: 'wait';
}

/** `settled` answers when all waits are settled, `usage` at once, `collect` after a collection of garbage. */
export type Job = StoreJob | WaitJob | { readonly kind: 'settled' | 'usage' | 'collect' };

/** What a process answers, as of the end of the job. */
export interface Answer {
  /** Microseconds of CPU of this process, user and system, since it began. */
  readonly cpu: number;
}

/** 36 characters, as a UUID has. */
export function idOf(run: number, index: number): string {
  return `${String(run).padStart(8, '0')}-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

let runs = 0;

/** The number of a run whose ids nobody has used. */
export function newRun(): number {
  runs += 1;
  return runs;
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

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
