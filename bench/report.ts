/** Figures to medians, ratios and a table. */
import { createRequire } from 'node:module';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Redis } from 'ioredis';
import type { Figure } from './harness.ts';

/** The rounds of one figure, by competitor. */
export interface Answer extends Figure {
  readonly question: string;
  readonly rounds: Readonly<Record<string, readonly number[]>>;
}

/** The least, the middle and the greatest. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** A competitor's part of an answer. `ratio` compares with the floor, round by round. */
export interface Row {
  readonly competitor: string;
  readonly value: Spread;
  readonly ratio: Spread;
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? NaN;
  const median = (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2;
  return { min: at(0), median, max: at(sorted.length - 1) };
}

export function rows({ rounds }: Answer, floor: string): Row[] {
  return Object.entries(rounds).map(([competitor, values]) => ({
    competitor,
    value: spread(values),
    ratio: spread(values.map((value, i) => value / (rounds[floor]?.[i] ?? NaN))),
  }));
}

/** Lines for a terminal. */
export function table(answer: Answer, floor: string): string {
  const head = `${answer.name}, ${answer.unit} (${answer.better} is better)`;
  const lines = rows(answer, floor).map(({ competitor, value, ratio }) => {
    const values = [value.min, value.median, value.max].map((each) => digits(each).padStart(11)).join('');
    const compared =
      competitor === floor ? '' : `${ratio.median.toFixed(2)}x  (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`;
    const label = competitor === floor ? (answer.floor ?? floor) : competitor;
    return `  ${label.padEnd(24)}${values}   ${compared}`.trimEnd();
  });
  return [head, ...lines].join('\n');
}

function digits(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** Where and with what the figures were measured. */
export async function surroundings(admin: Redis): Promise<Record<string, string>> {
  const manifest = createRequire(import.meta.url);
  const version = (name: string): string => (manifest(`${name}/package.json`) as { version: string }).version;
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    machine: `${processors.length} x ${processors[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()} ${arch()}, load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
    node: process.version,
    redis: /^redis_version:(.*?)\r?$/m.exec(await admin.info('server'))?.[1] ?? 'unknown',
    ioredis: version('ioredis'),
    'celery-redis-backend': version('celery-redis-backend'),
  };
}
