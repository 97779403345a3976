/** What a process of its own runs: seeds, one after another. Prints a line of JSON for each. */
import { parseArgs } from 'node:util';
import { PROFILES, TOPOLOGIES } from './plan.ts';
import { runSeed } from './seed.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    topology: { type: 'string', default: 'standalone' },
    profile: { type: 'string' },
    /** Ends with the first seed that fails. */
    stop: { type: 'boolean', default: false },
  },
});

const topology = TOPOLOGIES.find((name) => name === values.topology);
const profile = PROFILES.find((name) => name === values.profile);
if (!topology) throw new Error(`--topology: expected one of ${TOPOLOGIES.join(', ')}.`);
if (values.profile !== undefined && !profile) throw new Error(`--profile: expected one of ${PROFILES.join(', ')}.`);
const from = Number(values.from);
for (let seed = from; seed < from + Number(values.seeds); seed += 1) {
  const verdict = await runSeed(seed, topology, profile);
  console.log(JSON.stringify(verdict));
  if (values.stop && verdict.violations.length > 0) break;
}
