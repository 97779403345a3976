/**
 * What a day's load needs, by the constants that were measured:
 * `npx tsx bench/scaling/plan.ts --results 5000000 [--peak 5] [--payload 1000] [--waited 1] [--pending 10]
 * [--together 1] [--utilisation 0.5] [--json bench/results/scaling.json]`
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { constantsOf } from './constants.ts';
import { planOf } from './model.ts';
import type { Results } from './results.ts';

const text = (value: string): { readonly type: 'string'; readonly default: string } => ({
  type: 'string',
  default: value,
});
const { values } = parseArgs({
  options: {
    results: text('1000000'),
    peak: text('5'),
    payload: text('1000'),
    waited: text('1'),
    pending: text('10'),
    together: text('1'),
    utilisation: text('0.5'),
    json: text('bench/results/scaling.json'),
  },
});

function number(name: keyof typeof values): number {
  const value = Number(values[name]);
  if (!(value >= 0)) throw new RangeError(`--${name}: expected a number of at least 0; got ${values[name]}.`);
  return value;
}

const measured = JSON.parse(readFileSync(values.json, 'utf8')) as Results;
const plan = planOf(constantsOf(measured), {
  results: number('results'),
  peak: number('peak'),
  payload: number('payload'),
  waited: number('waited'),
  pending: number('pending'),
  together: number('together'),
  utilisation: number('utilisation'),
});
console.log(plan);
