/** What this package is to reach, and whether a run says that it does. */
import { type Answer, digits, ratioOf, times, valuesOf } from './report.ts';

/** One goal: a median of this package, or of its ratio to a rival. */
export interface Goal {
  readonly measure: string;
  /** The figure, by its name. */
  readonly figure: string;
  /** Undefined: the figure itself is the goal's. */
  readonly rival?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly unit?: string;
}

/** A goal beside what was measured. */
export interface Verdict {
  readonly measure: string;
  readonly goal: string;
  readonly measured: string;
  /** The least and the greatest of its rounds. */
  readonly range: string;
  /** `-`: the run does not say. */
  readonly met: 'yes' | 'no' | '-';
}

const OURS = 'celery-redis-backend';
const FLOOR = 'ioredis';

/** Ratios are to the floor, bare ioredis, unless the measure names another. */
export const GOALS: readonly Goal[] = [
  { measure: 'wake p50, idle', figure: 'wake p50, idle', rival: FLOOR, atMost: 1.05 },
  { measure: 'wake p99, idle', figure: 'wake p99, idle', rival: FLOOR, atMost: 1.1 },
  { measure: 'wake p50, idle, to BullMQ', figure: 'wake p50, idle', rival: 'bullmq', atMost: 0.8 },
  { measure: 'wake p50, idle, to Python Celery', figure: 'wake p50, idle', rival: 'python celery', atMost: 0.4 },
  { measure: 'stores/s, 300 B, guarded', figure: 'stores, 300 B', rival: FLOOR, atLeast: 1.3 },
  { measure: 'stores/s, 300 B, to Python Celery', figure: 'stores, 300 B', rival: 'python celery', atLeast: 8 },
  { measure: 'reads/s of ready results', figure: 'reads of ready results', rival: FLOOR, atLeast: 1.3 },
  { measure: '10,000 waiters: register', figure: '10,000 waiters: register', rival: FLOOR, atMost: 0.7 },
  { measure: '10,000 waiters: wakes/s', figure: '10,000 waiters: wakes', rival: FLOOR, atLeast: 1.2 },
  { measure: 'bytes a waiter', figure: 'heap of a waiter, of 10,000', atMost: 1200, unit: 'B' },
  {
    measure: 'bytes a waiter with timeout',
    figure: 'heap of a waiter with timeout, of 10,000',
    atMost: 1200,
    unit: 'B',
  },
  { measure: '100,000 waiters: connections', figure: '100,000 waiters: connections', atMost: 2 },
  { measure: '100,000 waiters: longest stall', figure: '100,000 waiters: longest stall', atMost: 50, unit: 'ms' },
  { measure: 'cached waits/s', figure: 'waits for known results', atLeast: 1_000_000, unit: '/s' },
];

function shown(value: number, { rival, unit = '' }: Goal): string {
  if (Number.isNaN(value)) return '-';
  if (rival !== undefined) return times(value);
  return unit.startsWith('/') || unit === '' ? `${digits(value)}${unit}` : `${digits(value)} ${unit}`;
}

/** One goal against the figures of a run. */
export function verdict(answers: readonly Answer[], goal: Goal): Verdict {
  const { measure, figure, rival, atMost, atLeast } = goal;
  const answer = answers.find(({ name }) => name === figure);
  const values = answer && (rival === undefined ? valuesOf(answer, OURS) : ratioOf(answer, OURS, rival));
  const value = values?.median ?? NaN;
  const reached = (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast);
  return {
    measure,
    goal: atMost === undefined ? `>= ${shown(atLeast ?? NaN, goal)}` : `<= ${shown(atMost, goal)}`,
    measured: shown(value, goal),
    range: values && !Number.isNaN(value) ? `${shown(values.min, goal)} to ${shown(values.max, goal)}` : '-',
    met: Number.isNaN(value) ? '-' : reached ? 'yes' : 'no',
  };
}

/** The rows of a table, its head first. */
export function goalRows(answers: readonly Answer[], goals: readonly Goal[] = GOALS): string[][] {
  const found = goals.map((goal) => verdict(answers, goal));
  return [
    ['measure', 'goal', 'measured', 'of rounds', 'met'],
    ...found.map(({ measure, goal, measured, range, met }) => [measure, goal, measured, range, met]),
  ];
}
