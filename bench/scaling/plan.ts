/**
 * What a day's load needs, by what was measured:
 * `npx tsx bench/scaling/plan.ts --results 5000000 [--payload 1000] [--peak 5] [--waited 1] [--pending 10] [--perStorer 10]
 * [--utilisation 0.5] [--json bench/results/scaling.json]`
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { constantsOf } from './constants.ts';
import type { Results } from './figures.ts';
import { planOf } from './model.ts';
import { ASSUMED } from './tables.ts';

const text = { type: 'string' } as const;
const json = { ...text, default: 'bench/results/scaling.json' };
const names = ['results', ...(Object.keys(ASSUMED) as (keyof typeof ASSUMED)[])] as const;
const options = Object.fromEntries(names.map((name) => [name, text]));
const { values } = parseArgs({ options: { ...options, json } });
const given = Object.fromEntries(
  names.flatMap((name) => {
    const value = (values as Readonly<Record<string, string | undefined>>)[name];
    if (value === undefined) return [];
    if (!(Number(value) >= 0)) throw new RangeError(`--${name}: expected a number of at least 0; got ${value}.`);
    return [[name, Number(value)] as const];
  }),
);
const measured = JSON.parse(readFileSync(values.json, 'utf8')) as Results;
console.log(planOf(constantsOf(measured), { ...ASSUMED, results: 1e6, ...given }));
