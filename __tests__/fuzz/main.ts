/** Runs the fuzzer: `npm run fuzz -- --runs 1000000`, or `--reader json --seed 7 --path 12:3` for one input. */
import { parseArgs } from 'node:util';
import { openBackends } from './backends.ts';
import { messageReader } from './messages.ts';
import { Careless, Money, openReaders } from './readers.ts';
import { fuzz, type Report } from './run.ts';

const { values } = parseArgs({
  options: {
    /** Inputs of all readers together. */
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    /** One reader only. */
    reader: { type: 'string' },
    /** One input only, as a finding names it. */
    path: { type: 'string' },
  },
});

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));

const backends = await openBackends();
const readers = [...(await openReaders()), ...backends.readers, messageReader()].filter(
  ({ name }) => name === (values.reader ?? name),
);
const shares = readers.reduce((sum, { share }) => sum + share, 0);
const reports: Report[] = [];
for (const reader of readers) {
  const runs = values.path === undefined ? Math.ceil((Number(values.runs) * reader.share) / shares) : 1;
  const report = await fuzz(reader, { seed: Number(values.seed), runs, path: values.path }, [Money, Careless]);
  reports.push(report);
  print(report);
}
await backends.close();
console.log(summary(reports));
for (const reason of unhandled) console.log('unhandled:', reason);
process.exitCode = reports.some(({ finding }) => finding !== undefined) || unhandled.length > 0 ? 1 : 0;

function print({ reader, inputs, outcomes, slowest, seconds, finding }: Report): void {
  const found = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`);
  console.log(
    `${reader.padEnd(18)} ${inputs} in ${seconds.toFixed(1)} s, slowest ${slowest.toFixed(0)} ms: ${found.join(', ')}`,
  );
  if (finding !== undefined) console.log(`FINDING ${finding}\n`);
}

function summary(all: readonly Report[]): string {
  const outcomes: Record<string, number> = {};
  for (const report of all)
    for (const [name, count] of Object.entries(report.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + count;
  const [inputs, seconds] = (['inputs', 'seconds'] as const).map((field) =>
    all.reduce((sum, report) => sum + report[field], 0),
  );
  const findings = all.filter(({ finding }) => finding !== undefined).length;
  return `${inputs ?? 0} inputs in ${(seconds ?? 0).toFixed(0)} s, ${findings} findings: ${JSON.stringify(outcomes)}`;
}
