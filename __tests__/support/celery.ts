/** Real Celery: a Python that runs snippets, and a worker. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findCeleryPython } from './require-celery.ts';

const HELPER = fileURLToPath(new URL('./celery_helper.py', import.meta.url));
const TASKS_FOLDER = fileURLToPath(new URL('.', import.meta.url));

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A Python process with Celery, which runs one snippet after the other. */
export class Python implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** @param url - broker and result backend of its `app` */
  constructor(url: string) {
    const child = spawn(findCeleryPython().command, ['-u', HELPER, url], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#settle(JSON.parse(line) as Reply);
    });
    // It is gone; whoever asked is told so.
    child.stdin.on('error', () => undefined);
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Python is gone'));
    });
  }

  /**
   * Runs a snippet, after those before it.
   *
   * @param code - the body of a function; celery_helper.py says what it sees
   * @param args - its arguments, JSON values
   * @returns what it returns, a JSON value
   */
  run<T = unknown>(code: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return this.#send(code, args, false) as Promise<T>;
  }

  /** The same beside the others, so that it may block. */
  runAside<T = unknown>(code: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return this.#send(code, args, true) as Promise<T>;
  }

  /** Stops the process, so that it reads nothing. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  /** Ends `pause`. */
  resume(): void {
    this.#process.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stop(this.#process, 'SIGKILL');
  }

  #send(code: string, args: Readonly<Record<string, unknown>>, thread: boolean): Promise<unknown> {
    const id = ++this.#lastId;
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) throw new Error('Python is gone');
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin?.write(`${JSON.stringify({ id, code, args, thread })}\n`);
    });
  }

  #settle({ id, value, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(`in Python: ${error}`));
  }
}

/** What a worker may be given. */
export interface WorkerOptions {
  /** `result_extended` */
  readonly extended?: boolean;
  /** `task_track_started` */
  readonly trackStarted?: boolean;
  /** The module of its app, and the folder it is in. @default celery_tasks.py beside this file */
  readonly app?: { readonly module: string; readonly folder: string };
}

const TASKS = { module: 'celery_tasks', folder: TASKS_FOLDER };

/** A real Celery worker. */
export class CeleryWorker implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Starts a worker and waits until it says that it is ready. */
  static async start(url: string, { extended, trackStarted, app = TASKS }: WorkerOptions = {}): Promise<CeleryWorker> {
    const celery = ['-m', 'celery', '--workdir', app.folder, '-A', app.module, 'worker'];
    const child = spawn(findCeleryPython().command, [...celery, '--pool', 'solo', '--loglevel', 'INFO'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        CELERY_BROKER_URL: url,
        CELERY_RESULT_BACKEND: url,
        INTEROP_EXTENDED: extended ? '1' : '0',
        INTEROP_TRACK_STARTED: trackStarted ? '1' : '0',
      },
    });
    await saysReady(child);
    return new CeleryWorker(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stop(this.#process, 'SIGKILL');
  }
}

/** Resolves at the line by which a Celery worker says that it takes tasks. */
async function saysReady(worker: ChildProcess): Promise<void> {
  if (!worker.stderr) throw new Error('its stderr is not read');
  const said: string[] = [];
  // Reading goes on after the line: a full pipe would stop the worker.
  await new Promise<void>((resolve, reject) => {
    if (!worker.stderr) return;
    createInterface({ input: worker.stderr }).on('line', (line) => {
      if (said.length < 200) said.push(line);
      if (line.endsWith(' ready.')) resolve();
    });
    worker.once('exit', () => {
      reject(new Error(`the worker left: ${said.join('\n')}`));
    });
  });
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
