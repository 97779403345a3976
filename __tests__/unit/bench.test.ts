/** What the bench reckons, and how it reads its command line. What it measures is asserted nowhere. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { panels, rangeOf, wordsOf } from '../../bench/chart-panels.ts';
import { parsePlan } from '../../bench/cli.ts';
import { GOALS, type Goal, goalRows, verdict } from '../../bench/goals.ts';
import { growthRows } from '../../bench/growth.ts';
import { callsOf, type Competitor, ofQuestion, type Question } from '../../bench/harness.ts';
import {
  type Answer,
  digits,
  markdown,
  merge,
  quantiles,
  ratioOf,
  rows,
  type Run,
  spread,
  table,
  times,
} from '../../bench/report.ts';
import { encodeMeta, newIds, sample } from '../../bench/sample.ts';

const OURS = 'celery-redis-backend';

function answer(name: string, rounds: Answer['rounds'], question = 'wake'): Answer {
  return { question, name, unit: 'µs', better: 'lower', rounds, failures: {} };
}

describe('medians and ratios', () => {
  it('takes the middle of an odd count, and between the middles of an even one', () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
    expect(spread([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4 });
  });

  it('is NaN of no values and with a missing one, never a figure of the rest', () => {
    expect(spread([]).median).toBeNaN();
    expect(spread([1, NaN, 3])).toEqual({ min: NaN, median: NaN, max: NaN });
  });

  it('takes a ratio round by round, not of the medians', () => {
    const { min, median, max } = ratioOf(answer('f', { a: [10, 1, 6], b: [1, 2, 3] }), 'a', 'b');
    expect([min, median, max]).toEqual([0.5, 2, 10]);
  });

  it('has no ratio to one that did not answer', () => {
    const missing = answer('f', { a: [1, 2], b: [], c: [null, 1] });
    expect(ratioOf(missing, 'a', 'b').median).toBeNaN();
    expect(ratioOf(missing, 'a', 'c').median).toBeNaN();
    expect(ratioOf(missing, 'a', 'nobody').median).toBeNaN();
  });

  it('takes the p50 and the p99, the last one of few', () => {
    expect(quantiles(Array.from({ length: 200 }, (_, i) => 200 - i))).toEqual([101, 199]);
    expect(quantiles([5])).toEqual([5, 5]);
    expect(quantiles([])).toEqual([NaN, NaN]);
  });
});

describe('the tables', () => {
  const one = answer('wake p50, idle', {
    [OURS]: [10, 20, 30],
    ioredis: [10, 10, 10],
    slow: [],
    'x 1': [5000, 5000, 5000],
  });

  it('has a row for each competitor, with a dash for no answer and no ratio of the floor', () => {
    const [head, ...lines] = table(one, 'ioredis').split('\n');
    expect(head).toBe('wake p50, idle, µs (lower is better)');
    expect(lines.map((line) => line.trim().split(/\s{2,}/))).toEqual([
      [OURS, '10', '20', '30', '2.00x', '(1.00x to 3.00x)'],
      ['ioredis', '10', '10', '10'],
      ['slow', '-', '-', '-'],
      ['x 1', '5,000', '5,000', '5,000', '500x', '(500x to 500x)'],
    ]);
    expect(rows(one, 'ioredis').map(({ competitor }) => competitor)).toEqual([OURS, 'ioredis', 'slow', 'x 1']);
  });

  it('shows as many digits as a value deserves', () => {
    expect([digits(1.26), digits(1234.5), digits(NaN)]).toEqual(['1.3', '1,235', '-']);
    expect([0.00351, 0.956, 12.34, 1234].map(times)).toEqual(['0.0035x', '0.96x', '12.3x', '1234x']);
  });

  it('pads Markdown as Prettier does, to three characters at least', () => {
    expect(markdown([['a'], ['1']])).toBe(['| a   |', '| --- |', '| 1   |'].join('\n'));
    expect(
      markdown([
        ['a', 'long head'],
        ['1 234', '-'],
      ]),
    ).toBe(['| a     | long head |', '| ----- | --------- |', '| 1 234 | -         |'].join('\n'));
  });

  it('says by what each tenfold step multiplies, and leaves out what was not asked', () => {
    const answers = [
      answer('1,000 waiters: register', { a: [10], b: [1] }),
      answer('10,000 waiters: register', { a: [150], b: [] }),
      answer('100,000 waiters: register', { a: [1500], b: [] }),
    ];
    expect(growthRows(answers, ['a', 'b'])).toEqual([
      ['growth', 'a', 'b'],
      ['register, waiters x10', '15.0x, 10.0x', '-, -'],
    ]);
  });
});

describe('the verdicts', () => {
  const at = (value: number | null, floor = 100): Answer[] => [answer('f', { [OURS]: [value], ioredis: [floor] })];
  const most: Goal = { measure: 'm', figure: 'f', rival: 'ioredis', atMost: 1.05 };
  const least: Goal = { measure: 'm', figure: 'f', rival: 'ioredis', atLeast: 1.3 };

  it.each([
    [most, 105, 'yes'],
    [most, 106, 'no'],
    [least, 130, 'yes'],
    [least, 129, 'no'],
    [{ measure: 'm', figure: 'f', atMost: 50 }, 50, 'yes'],
    [{ measure: 'm', figure: 'f', atMost: 50 }, 51, 'no'],
    [most, null, '-'],
  ] as const)('%j of %s: %s', (goal, value, met) => {
    expect(verdict(at(value), goal).met).toBe(met);
  });

  it('does not call a goal met, nor missed, that was not measured', () => {
    expect(verdict([], most)).toEqual({ measure: 'm', goal: '<= 1.05x', measured: '-', range: '-', met: '-' });
  });

  it('shows ratios and figures', () => {
    expect(verdict(at(200), least)).toMatchObject({ goal: '>= 1.30x', measured: '2.00x' });
    expect(verdict(at(1234), { ...least, rival: undefined as never, unit: 'B', atLeast: 1000 })).toMatchObject({
      goal: '>= 1,000 B',
      measured: '1,234 B',
    });
  });

  it('shows the least and the greatest round beside the median', () => {
    const rounds = { [OURS]: [130, 90, 100], ioredis: [100, 100, 100] };
    expect(verdict([answer('f', rounds)], most)).toMatchObject({ measured: '1.00x', range: '0.90x to 1.30x' });
  });

  it('has a row for each goal', () => {
    expect(
      goalRows([])
        .slice(1)
        .map((row) => row[4]),
    ).toEqual(GOALS.map(() => '-'));
  });
});

describe('a run in pieces', () => {
  const run = (question: string, value: number, where: Run['where'] = {}): Run => ({
    where,
    rounds: 1,
    floor: 'ioredis',
    figures: [answer(`figure of ${question}`, { a: [value] }, question)],
  });

  it('replaces the questions asked again and keeps the others', () => {
    const merged = merge(merge(run('wake', 1), run('fan', 2)), run('wake', 3));
    expect(merged.figures.map(({ question, rounds }) => [question, rounds['a']?.[0]])).toEqual([
      ['fan', 2],
      ['wake', 3],
    ]);
  });

  it('has the versions of all that were asked in any, and the date of the last', () => {
    const first = run('wake', 1, { date: 'Monday', node: 'v20', bullmq: '6' });
    const { where } = merge(first, run('hops', 2, { date: 'Tuesday', node: 'v20', ioredis: '5' }));
    expect(where).toEqual({ date: 'Tuesday', node: 'v20', bullmq: '6', ioredis: '5' });
  });

  it('is refused where a version differs, unless nothing of the other is left', () => {
    const first = run('wake', 1, { node: 'v20' });
    const again = run('wake', 2, { node: 'v22' });
    expect(() => merge(first, run('hops', 2, { node: 'v22' }))).toThrow('differ in node: v20, and now v22');
    expect(merge(first, again)).toEqual(again);
  });
});

describe('the chart', () => {
  it('has panels of the figures there are, with the goals to the floor, and no bar without a ratio', () => {
    const run: Run = {
      where: {},
      rounds: 1,
      floor: 'ioredis',
      figures: [
        answer('wake p50, idle', { [OURS]: [50], ioredis: [100], bullmq: [] }),
        answer('not shown', { a: [1] }),
      ],
    };
    expect(panels(run)).toEqual([
      {
        title: 'wake p50, idle, µs',
        hint: 'lower is better, goal 1.05x',
        bars: [
          { name: OURS, ours: true, ratio: 0.5, label: '0.50x   50 µs' },
          { name: 'ioredis', ours: false, ratio: 1, label: '1.00x   100 µs' },
        ],
        goal: 1.05,
        range: [0.1, 10],
      },
    ]);
  });

  it('is told in words', () => {
    const bars = [
      { name: OURS, ours: true, ratio: 0.5, label: '' },
      { name: 'ioredis', ours: false, ratio: 1, label: '' },
    ];
    const panel = {
      title: 'wake, ms',
      hint: 'lower is better, goal 1.05x',
      bars,
      goal: 1.05,
      range: [0.1, 10] as const,
    };
    expect(wordsOf([panel], 'ioredis')).toBe(
      "Bars, a panel a figure: each competitor's median as a ratio to ioredis. " +
        `wake, ms (lower is better, goal 1.05x): ${OURS} 0.50x, ioredis 1.00x.`,
    );
  });

  it('has an axis that holds every ratio', () => {
    expect(rangeOf([1])).toEqual([0.1, 10]);
    expect(rangeOf([0.02, 1, 700])).toEqual([0.01, 10_000]);
  });
});

describe('the command line', () => {
  const question = (name: string, long = false): Question => ({
    name,
    long,
    figures: [],
    round: () => Promise.resolve([]),
  });
  const competitor = (name: string): Competitor => ({ name }) as Competitor;
  const all = {
    questions: [question('wake'), question('wake-1k'), question('fan'), question('waiters-100k', true)],
    competitors: [competitor('ours'), competitor('floor'), competitor('other')],
  };
  const names = (args: readonly string[]): unknown => {
    const { questions, competitors, rounds, quick } = parsePlan(args, all);
    return [questions.map(({ name }) => name), competitors.map(({ name }) => name), rounds, quick];
  };

  it('asks everything of everybody', () => {
    expect(names([])).toEqual([['wake', 'wake-1k', 'fan', 'waiters-100k'], ['ours', 'floor', 'other'], 5, false]);
  });

  it('asks quickly of this package and the floor, what is not long', () => {
    expect(names(['--quick'])).toEqual([['wake', 'wake-1k', 'fan'], ['ours', 'floor'], 3, true]);
  });

  it('takes questions and families, and competitors, in their own order', () => {
    expect(names(['--only', 'fan,wake', '--competitors', 'other,ours', '--rounds', '2'])).toEqual([
      ['wake', 'wake-1k', 'fan'],
      ['ours', 'other'],
      2,
      false,
    ]);
    expect(names(['--quick', '--only', 'waiters-100k'])).toEqual([['waiters-100k'], ['ours', 'floor'], 3, true]);
  });

  it.each([
    [['--only', 'wakes'], '--only: there is no wakes; expected some of wake, wake-1k, fan, waiters-100k, waiters.'],
    [['--competitors', 'redis'], '--competitors: there is no redis; expected some of ours, floor, other.'],
    [['--rounds', '0'], '--rounds: expected a whole number of at least 1.'],
    [['--rounds', '1.5'], '--rounds: expected a whole number of at least 1.'],
    [['--merge'], '--merge: expected a --json to merge into.'],
  ])('refuses %j', (args, message) => {
    expect(() => parsePlan(args, all)).toThrow(message);
  });

  it('refuses an option that there is not', () => {
    expect(() => parsePlan(['--fast'], all)).toThrow('--fast');
  });
});

describe('what competitors agree on', () => {
  it('looks for a question by its name, then by its family', () => {
    expect(ofQuestion({ waiters: 1, 'waiters-1k': 2 }, 'waiters-1k')).toBe(2);
    expect(ofQuestion({ waiters: 1 }, 'waiters-10k')).toBe(1);
    expect(ofQuestion({ waiters: 1 }, 'wake')).toBeUndefined();
    expect(ofQuestion(undefined, 'wake')).toBeUndefined();
  });

  it('has slow ones make fewer calls, but never none', () => {
    const calls = (share: number | undefined, quick: boolean, usual: number): number =>
      callsOf({ competitor: { ...(share === undefined ? {} : { share }) } as Competitor, quick }, usual);
    expect([calls(undefined, false, 100), calls(0.2, false, 100), calls(0.2, true, 100), calls(0.2, true, 1)]).toEqual([
      100, 20, 10, 1,
    ]);
  });

  it.each([300, 10_000, 1_000_000])('stores %d bytes', (bytes) => {
    const [id = ''] = newIds(1);
    const payload = encodeMeta(id, sample(undefined, bytes));
    expect(payload).toHaveLength(bytes);
    expect(JSON.parse(payload)).toMatchObject({ status: 'SUCCESS', task_id: id });
  });

  it('compares with the ioredis that this package is tested with', () => {
    const versionIn = (file: string): unknown =>
      (JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, { version: string }> }).packages[
        'node_modules/ioredis'
      ]?.version;
    expect(versionIn('bench/package-lock.json')).toBe(versionIn('package-lock.json'));
  });
});
