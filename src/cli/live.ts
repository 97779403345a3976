/** What a terminal shows while tasks are awaited: a bar of those that are ready, and the states of some that are not. */
import progress, { type MultiBar, type Options, type SingleBar } from 'cli-progress';
import type { TaskMeta } from '../meta.ts';
import type { Display } from './display.ts';
import type { Output, Printer } from './io.ts';
import { progressOf, shownValue } from './text.ts';

/** The most tasks that have a line of their own. */
const MOST_LINES = 10;
/** Lines of the terminal that are left to what is printed meanwhile. */
const SPARE_ROWS = 6;
const BAR_SIZE = 24;

/** One task that is not ready. */
interface Shown {
  readonly taskId: string;
  status: string;
  value: string;
  progress: number | undefined;
}

/** The line of a task, no longer than the terminal is wide. */
export function taskLine({ taskId, status, value, progress: done }: Shown, columns: number): string {
  const bar = done === undefined ? '' : `${barOf(done)} `;
  const line = `${taskId}  ${status.padEnd(8)} ${bar}${value}`.trimEnd();
  return line.length > columns ? `${line.slice(0, Math.max(0, columns - 1))}…` : line;
}

/** The line of all tasks. */
export function totalLine(ready: number, all: number): string {
  return `${barOf(all === 0 ? 0 : ready / all)} ${ready} of ${all} ready`;
}

function barOf(part: number): string {
  const { barCompleteChar, barIncompleteChar } = progress.Presets.shades_classic;
  const options = { barsize: BAR_SIZE, barGlue: '' };
  return progress.Format.BarFormat(Math.min(1, Math.max(0, part)), {
    ...options,
    barCompleteString: barCompleteChar.repeat(BAR_SIZE + 1),
    barIncompleteString: barIncompleteChar.repeat(BAR_SIZE + 1),
  });
}

/** A terminal that nobody gave a size says 0. */
function sizeOr(size: number | undefined, otherwise: number): number {
  return size === undefined || size <= 0 ? otherwise : size;
}

/** A display on a terminal. What is printed meanwhile stands above it. */
export class LiveDisplay implements Display {
  readonly #printer: Printer;
  readonly #columns: () => number;
  readonly #bars: MultiBar;
  readonly #lines: SingleBar[] = [];
  /** Tasks that are not ready, those that were seen last at the end. */
  readonly #waiting = new Map<string, Shown>();
  readonly #most: number;
  #all = 0;
  #ready = 0;

  constructor(printer: Printer, terminal: Output) {
    this.#printer = printer;
    this.#columns = () => sizeOr(terminal.columns, 80);
    this.#most = Math.max(0, Math.min(MOST_LINES, sizeOr(terminal.rows, 24) - SPARE_ROWS));
    this.#bars = new progress.MultiBar({
      stream: terminal,
      hideCursor: true,
      clearOnComplete: true,
      forceRedraw: true,
      format: () => totalLine(this.#ready, this.#all),
    });
    this.#bars.create(1, 0);
    const log = (text: string): void => {
      this.#bars.log(text);
    };
    printer.through({
      ...(printer.io.stdout.isTTY ? { out: log } : {}),
      ...(printer.io.stderr.isTTY ? { err: log } : {}),
    });
  }

  add(taskId: string): void {
    this.#all += 1;
    this.#waiting.set(taskId, { taskId, status: 'PENDING', value: '', progress: undefined });
    if (this.#lines.length < Math.min(this.#most, this.#waiting.size)) this.#addLine(this.#lines.length);
  }

  seen(taskId: string, meta: TaskMeta): void {
    const shown = this.#waiting.get(taskId);
    if (!shown) return;
    const done = progressOf(meta);
    shown.status = meta.status;
    shown.progress = done && done.current / done.total;
    shown.value = done ? `${done.current} of ${done.total}` : shownValue(meta);
  }

  remove(taskId: string): void {
    if (this.#waiting.delete(taskId)) this.#ready += 1;
  }

  close(): void {
    this.#printer.through({});
    // Prints what was logged since the last frame.
    this.#bars.update();
    this.#bars.stop();
  }

  #addLine(index: number): void {
    const format: Options['format'] = () => {
      const shown = this.#shown()[index];
      return shown ? taskLine(shown, this.#columns()) : '';
    };
    this.#lines.push(this.#bars.create(1, 0, {}, { format }));
  }

  /** Those that have a line: first who are under way. */
  #shown(): readonly Shown[] {
    const some: Shown[] = [];
    for (const pending of [false, true]) {
      for (const each of this.#waiting.values()) {
        if (some.length === this.#most) return some;
        if ((each.status === 'PENDING') === pending) some.push(each);
      }
    }
    return some;
  }
}
