/** Runs a command line from its words to its exit code. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CommanderError } from 'commander';
import { abortable } from '../consumer/signals.ts';
import type { DiagnosticEvents } from '../diagnostics.ts';
import { EXIT, exitCodeOf, messageOf } from './exit-codes.ts';
import { Interruption, type Io, Printer } from './io.ts';
import { createProgram } from './program.ts';
import { redact } from './secrets.ts';

const WARNING = 'celery-redis-backend:warning';
/** How long a command that is interrupted may take to clear up. */
const CLEAR_UP_MS = 1000;

/**
 * Runs a command.
 *
 * @param words - what stands behind the name of the program
 * @returns the exit code; never rejects
 */
export async function run(words: readonly string[], io: Io): Promise<number> {
  let printer = new Printer(io, false);
  let code: number = EXIT.success;
  let heeded = true;
  const onWarning = (event: unknown): void => {
    if (heeded) printer.note((event as DiagnosticEvents[typeof WARNING]).message);
  };
  const program = createProgram({
    printer: (json) => (printer = new Printer(io, json)),
    ended: (ended) => (code = ended),
    ignoreWarnings: () => (heeded = false),
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(redact(text)),
  });
  subscribe(WARNING, onWarning);
  const parsed = program.parseAsync(words, { from: 'user' });
  try {
    await abortable(parsed, io.signal);
    return code;
  } catch (error) {
    if (io.signal.reason instanceof Interruption) {
      await settled(parsed);
      return io.signal.reason.exitCode;
    }
    // It has printed what there is to say; help alone is asked for, or the answer to no command.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage;
    printer.note(messageOf(error));
    return exitCodeOf(error);
  } finally {
    unsubscribe(WARNING, onWarning);
  }
}

/** Waits until it has settled, but not for long. */
async function settled(promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CLEAR_UP_MS);
  });
  await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
}
