/** Runs inputs through a reader, and says which one it did wrong with. */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Judge, type Outcome } from './judge.ts';
import type { Reader } from './readers.ts';

/** Where the inputs come from: with the same numbers, the same ones. */
export interface Source {
  readonly seed: number;
  readonly runs: number;
  /** The one input of a seed that was found, in its shortest form. */
  readonly path?: string | undefined;
  /** How long a small input may take. @default 2000 ms of the processor's time */
  readonly slowMs?: number | undefined;
}

/** What came of the inputs of one reader. */
export interface Report {
  readonly reader: string;
  readonly inputs: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** The slowest input, in ms. */
  readonly slowest: number;
  readonly seconds: number;
  /** What is wrong, with the input and the command that replays it. */
  readonly finding: string | undefined;
}

/** Inputs of one seed; then comes the next one. */
const BATCH = 2000;

/** Gives a reader its inputs, up to the first finding. */
export async function fuzz(
  reader: Reader,
  source: Source,
  classes: ConstructorParameters<typeof Judge>[0] = [],
): Promise<Report> {
  using judge = new Judge(classes, source.slowMs);
  const outcomes: Record<Outcome, number> = {};
  const start = performance.now();
  let inputs = 0;
  let finding: string | undefined;
  for (let seed = source.seed; inputs < source.runs && finding === undefined; seed++) {
    const numRuns = Math.min(BATCH, source.runs - inputs);
    const property = fc.asyncProperty(reader.inputs, async (input) => {
      const outcome = await judge.run(() => reader.read(input, judge.spend), textOf(input));
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    });
    const details = await fc.check(property, {
      seed,
      numRuns,
      ...(source.path !== undefined && { path: source.path }),
    });
    inputs += details.failed ? details.numRuns : numRuns;
    finding = details.failed ? failureOf(reader, details) : globalsOf(judge, reader, seed);
  }
  const seconds = (performance.now() - start) / 1000;
  return { reader: reader.name, inputs, outcomes, slowest: judge.slowest, seconds, finding };
}

function globalsOf(judge: Judge, reader: Reader, seed: number): string | undefined {
  try {
    judge.checkGlobals();
    return undefined;
  } catch (error) {
    return `${String(error)}\nreplay: npm run fuzz -- --reader ${reader.name} --seed ${seed} --runs ${BATCH}`;
  }
}

function failureOf(
  reader: Reader,
  { seed, counterexample, counterexamplePath, errorInstance }: fc.RunDetails<[unknown]>,
): string {
  const input = counterexample?.[0];
  const shown =
    input instanceof Uint8Array
      ? `${inspect(Buffer.from(input).toString('latin1'))} in latin1`
      : inspect(input, { depth: 12 });
  const replay = `npm run fuzz -- --reader ${reader.name} --seed ${seed} --path ${counterexamplePath ?? ''}`;
  return `${errorInstance instanceof Error ? errorInstance.message : String(errorInstance)}\ninput: ${shown.slice(0, 3000)}\nreplay: ${replay}`;
}

/** The text of an input; of a value nothing that is near it. */
function textOf(input: unknown): string {
  if (typeof input === 'string') return input;
  return input instanceof Uint8Array ? Buffer.from(input).toString() : '';
}
