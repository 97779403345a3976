/** The ids a command is given: as arguments, or on standard input. */
import { createInterface } from 'node:readline';
import { InvalidArgumentError } from '../errors.ts';
import { checkId } from '../keys.ts';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';

/** In the place of an id: those of standard input. */
const STDIN = '-';

/**
 * The ids in order, each once: the arguments, with the lines of standard input in the place of `-`; without arguments
 * those of standard input, unless that is a terminal. Of a line counts what is before a tab, so that the output of one
 * command is the input of another.
 *
 * @param onWrong - is told of a line that is no id; the others go on
 * @throws UsageError for an argument that is none, and when there are no ids, but for an empty input that `-` asked for
 */
export async function* readIds(
  given: readonly string[],
  io: Pick<Io, 'stdin' | 'signal'>,
  onWrong: (message: string) => void,
): AsyncGenerator<string, void, undefined> {
  checkGiven(given, io);
  const implicit = given.length === 0;
  const seen = new Set<string>();
  for (const word of implicit ? [STDIN] : given) {
    const ids = word === STDIN ? linesOf(io, onWrong) : [word];
    for await (const id of ids) {
      if (seen.has(id)) continue;
      seen.add(id);
      yield id;
    }
  }
  if (implicit && seen.size === 0)
    throw new UsageError('expected ids as arguments or on standard input, which is empty.');
}

/** Checks arguments, before anything else is done. @throws UsageError */
export function checkGiven(given: readonly string[], { stdin }: Pick<Io, 'stdin'>): void {
  if (given.length === 0 && stdin.isTTY) throw new UsageError('expected ids as arguments, or on standard input.');
  for (const id of given) if (id !== STDIN) checkArgument(id);
}

async function* linesOf(
  { stdin, signal }: Pick<Io, 'stdin' | 'signal'>,
  onWrong: (message: string) => void,
): AsyncGenerator<string, void, undefined> {
  const lines = createInterface({ input: stdin, crlfDelay: Infinity, signal });
  for await (const line of lines) {
    const id = line.split('\t', 1)[0]?.trim() ?? '';
    if (id === '') continue;
    try {
      checkArgument(id);
      yield id;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      onWrong(error.message);
    }
  }
}

/** @throws UsageError, which does not show the id: it may be a URL with a password */
function checkArgument(id: string): void {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(id)) {
    throw new UsageError('expected an id; got a URL, which goes behind --url.');
  }
  try {
    checkId(id, 'id');
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}
