/** Runs the built command line, in pipes or on a terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const MAIN = resolve('dist/esm/cli/main.js');

/** What a run takes besides its words. */
export interface RunOptions {
  /** Variables of its environment, which has none of ours but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads; nothing at all by default. */
  readonly input?: string;
  /** Whether its standard input stays open, to be written to. */
  readonly open?: boolean;
  readonly cwd?: string;
}

/** What a run left. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A run under way. */
export class CliRun {
  readonly process: ChildProcess;
  readonly ended: Promise<Ran>;
  out = '';
  err = '';
  readonly #waiting = new Set<() => void>();

  constructor(command: string, words: readonly string[], { env = {}, input, open = false, cwd }: RunOptions) {
    if (!existsSync(MAIN)) throw new Error('dist is missing: run npm run build first');
    this.process = spawn(command, [...words], {
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...env },
      cwd,
      stdio: [input === undefined && !open ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.#wake();
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
      this.#wake();
    });
    if (input !== undefined) {
      // Who does not read to the end closes it.
      this.process.stdin?.on('error', () => undefined);
      this.process.stdin?.end(input);
    }
    this.ended = this.#end();
  }

  /** Resolves once it has printed this, on either stream. */
  async until(text: string): Promise<void> {
    await new Promise<void>((done) => {
      const look = (): void => {
        if (!`${this.out}\n${this.err}`.includes(text)) return;
        this.#waiting.delete(look);
        done();
      };
      this.#waiting.add(look);
      look();
    });
  }

  async #end(): Promise<Ran> {
    const [code] = (await once(this.process, 'close')) as [number | null];
    return { code, out: this.out, err: this.err };
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** Starts it in pipes. */
export function startCli(words: readonly string[], options: RunOptions = {}): CliRun {
  return new CliRun(process.execPath, [MAIN, ...words], options);
}

/** Runs it in pipes. */
export function runCli(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return startCli(words, options).ended;
}

/** Runs a line of a shell, in which `$CLI` is the program. */
export function runShell(line: string, options: RunOptions = {}): Promise<Ran> {
  const env = { ...options.env, CLI: `${process.execPath} ${MAIN}` };
  return new CliRun('bash', ['-c', line], { ...options, env }).ended;
}

/** Starts it on a terminal of 80 by 24 of its own; all that it prints is `out`. */
export function startOnTerminal(words: readonly string[], options: RunOptions = {}): CliRun {
  const quoted = [process.execPath, MAIN, ...words].map((word) => `'${word}'`).join(' ');
  const line = `stty cols 80 rows 24; exec ${quoted}`;
  const args = process.platform === 'darwin' ? ['-q', '/dev/null', 'sh', '-c', line] : ['-qec', line, '/dev/null'];
  return new CliRun('script', args, { ...options, open: true });
}
