/** Runs the simulator: `npm run sim -- --seeds 5000`, or `--seed 17` for one with its history. */
import { parseArgs } from 'node:util';
import { INVARIANTS } from './check.ts';
import { historyOf, replayOf, runSeed, type Verdict } from './seed.ts';

const { values } = parseArgs({
  options: {
    /** How many, and the first one. */
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
    /** One only, with its history. */
    seed: { type: 'string' },
    /** Ends with the first seed that violates an invariant of this name, which is a regular expression. */
    until: { type: 'string', default: '$^' },
    /** Prints a report for programs. */
    json: { type: 'boolean', default: false },
  },
});

/** The first seeds that fail are told of. */
const TOLD = 5;

/** The invariants that a run violates. */
function violated({ violations }: Verdict): string[] {
  return Object.keys(INVARIANTS).filter((name) => violations.some((each) => each.startsWith(`${name}: `)));
}

async function one(seed: number): Promise<void> {
  const verdict = await runSeed(seed);
  console.log(historyOf(verdict));
  process.exitCode = verdict.violations.length > 0 ? 1 : 0;
}

async function many(from: number, count: number): Promise<void> {
  const start = performance.now();
  const until = new RegExp(values.until);
  const failing: Verdict[] = [];
  const byInvariant: Record<string, number> = {};
  let seed = from;
  for (let found = false; seed < from + count && !found; seed += 1) {
    const verdict = await runSeed(seed);
    if (verdict.violations.length === 0) continue;
    failing.push({ ...verdict, run: undefined });
    for (const name of violated(verdict)) byInvariant[name] = (byInvariant[name] ?? 0) + 1;
    found = violated(verdict).some((name) => until.test(name));
  }
  const seconds = (performance.now() - start) / 1000;
  process.exitCode = failing.length > 0 ? 1 : 0;
  const report = { seeds: seed - from, failing: failing.length, byInvariant, first: failing.slice(0, TOLD), seconds };
  if (values.json) console.log(JSON.stringify(report));
  else print(report);
}

function print({
  seeds,
  failing,
  byInvariant,
  first,
  seconds,
}: {
  readonly seeds: number;
  readonly failing: number;
  readonly byInvariant: object;
  readonly first: readonly Verdict[];
  readonly seconds: number;
}): void {
  for (const verdict of first) console.log(replayOf(verdict));
  const pace = `${seeds} seeds in ${seconds.toFixed(1)} s, ${(seeds / seconds).toFixed(0)} a second`;
  console.log(
    failing === 0 ? `${pace}: all right` : `${pace}: ${failing} fail`,
    ...(failing === 0 ? [] : [byInvariant]),
  );
}

if (values.seed === undefined) await many(Number(values.from), Number(values.seeds));
else await one(Number(values.seed));
