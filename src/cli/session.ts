/** A command at work: its backend, opened before and closed after. */
import type { RedisBackend } from '../redis/backend.ts';
import { RedisBackend as Backend } from '../redis/backend.ts';
import { CeleryError } from '../errors.ts';
import { type CommonFlags, readConfig } from './config.ts';
import { type ExitCode, UsageError } from './exit-codes.ts';
import { readIds } from './ids.ts';
import type { Printer } from './io.ts';
import { secretsOf } from './secrets.ts';
import { EXIT, exitCodeOf, messageOf, worse } from './exit-codes.ts';

/** What a command works with. */
export interface Session {
  readonly backend: RedisBackend;
  readonly printer: Printer;
  /** The exit code so far. */
  readonly outcome: Outcome;
}

/** The exit code of a command, as it comes together. */
export class Outcome {
  #code: ExitCode = EXIT.success;

  get code(): ExitCode {
    return this.#code;
  }

  add(code: ExitCode): void {
    this.#code = worse(this.#code, code);
  }
}

/**
 * Opens the backend, checks that it answers, runs the command and closes. Command of Redis: PING.
 *
 * @returns the exit code
 * @throws what the command throws; UsageError for a configuration that is wrong; BackendError without Redis
 */
export async function withSession(
  flags: CommonFlags,
  printer: Printer,
  command: (session: Session) => Promise<void>,
): Promise<ExitCode> {
  const { options, url } = readConfig(flags, printer.io);
  printer.hide(secretsOf(url));
  const outcome = new Outcome();
  const backend = openBackend(options);
  try {
    await backend.connect();
    await command({ backend, printer, outcome });
  } finally {
    await backend.close();
  }
  return outcome.code;
}

/** The ids that a command is given. A line of the input that is none is noted, and counts as a wrong usage. */
export function idsOf(session: Pick<Session, 'printer' | 'outcome'>, given: readonly string[]): AsyncIterable<string> {
  return readIds(given, session.printer.io, (message) => {
    session.outcome.add(EXIT.usage);
    session.printer.note(message);
  });
}

/** Notes what failed for one id, as a line of results where these are JSON. */
export async function fail({ printer, outcome }: Session, name: string, id: string, error: unknown): Promise<void> {
  outcome.add(exitCodeOf(error));
  const message = printer.safe(messageOf(error));
  const code = error instanceof CeleryError ? error.code : undefined;
  if (printer.json) await printer.value({ [name]: id, error: { code, message } });
  else printer.note(`${id}: ${message}`);
}

function openBackend(options: ConstructorParameters<typeof Backend>[1]): RedisBackend {
  try {
    return new Backend({}, options);
  } catch (error) {
    if (error instanceof CeleryError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
