/** A few thousand of the inputs that `npm run fuzz` makes millions of. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openBackends } from './backends.ts';
import { messageReader } from './messages.ts';
import { Careless, Money, openReaders, type Reader } from './readers.ts';
import { fuzz, type Report } from './run.ts';

/** Inputs of all readers together. */
const RUNS = 3000;

const readers: Reader[] = [];
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  const backends = await openBackends();
  opened.push(backends);
  readers.push(...(await openReaders()), ...backends.readers, messageReader());
});
afterAll(() => Promise.all(opened.map((each) => each.close())));

/** Of a hundred inputs, how many have an outcome that begins so, at least. */
type Shares = Readonly<Record<string, number>>;

const BOTH: Shares = { value: 15, CELERY_: 15 };

const EXPECTED: Readonly<Record<string, Shares>> = {
  ...Object.fromEntries(
    ['json', 'yaml', 'msgpack', 'superjson'].flatMap((format) => [
      [format, BOTH],
      [`meta:${format}`, BOTH],
      [`part:${format}`, BOTH],
      [`group:${format}`, BOTH],
      [`backend:${format}`, { 'value (ready)': 5, 'value (not ready)': 5, CELERY_TASK_FAILED: 3, CELERY_DECODE: 15 }],
      // A hostile part fails the body; the task that came last is done all the same.
      [`chord:${format}`, { 'value (sent)': 10, 'value (not sent)': 15 }],
    ]),
  ),
  // Whatever an exception looks like, it is some error.
  exception: { value: 100 },
  tuple: BOTH,
  id: BOTH,
  url: BOTH,
  env: BOTH,
  options: BOTH,
  conf: BOTH,
  message: { value: 40, 'value (failure chain': 10, 'value (failure chain errbacks chord': 3, CELERY_: 10 },
};

function sharesOf({ outcomes, inputs }: Report, expected: Shares): Shares {
  const countOf = (start: string): number =>
    Object.entries(outcomes).reduce((sum, [outcome, count]) => sum + (outcome.startsWith(start) ? count : 0), 0);
  return Object.fromEntries(Object.keys(expected).map((start) => [start, (100 * countOf(start)) / inputs]));
}

describe('hostile input', () => {
  it.each(Object.entries(EXPECTED))('is read by %s, or refused with a typed error', async (name, expected) => {
    const sum = readers.reduce((total, { share }) => total + share, 0);
    const reader = readers.find((each) => each.name === name);
    if (!reader) throw new Error(`no reader ${name}`);
    const runs = Math.ceil((RUNS * reader.share) / sum);
    const report = await fuzz(reader, { seed: 1, runs }, [Money, Careless]);
    expect(report.finding).toBeUndefined();
    expect(report.inputs).toBe(runs);
    // The inputs are the same each time: fewer of a kind mean that they were changed, or that the reader was.
    const shares = sharesOf(report, expected);
    expect(Object.entries(expected).filter(([start, least]) => (shares[start] ?? 0) < least)).toEqual([]);
  });

  it('is given to every reader there is', () => {
    expect(readers.map(({ name }) => name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });
});
