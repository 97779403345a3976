/** How long single turns of the event loop are, with V8's collector and without. */
import { type Profiler, Session } from 'node:inspector/promises';
import { standApart } from './pin.ts';

/** What a probe saw. */
export interface Turns {
  /** Milliseconds of the longest turn, by the clock. */
  readonly longest: number;
  /** The same, where what V8's collector took of each turn is left out. */
  readonly uncollected: number;
  /** Milliseconds that 99 of 100 of the turns over a millisecond were not longer than, without the collector. */
  readonly most: number;
  /** How many turns were longer than 10 ms. */
  readonly over: number;
  /** The same, without the collector. */
  readonly overUncollected: number;
}

/** A turn longer than this is one too many. */
const LONG_MS = 10;
/** Microseconds between two samples. The collector's own entries leave out what it marks while objects are made. */
const SAMPLE_US = 500;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Looks at every turn of the loop while `run` is under way, and samples the stack. The loop never sleeps meanwhile. */
export async function turnsOf(run: () => Promise<unknown>): Promise<Turns> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  const origin = performance.now();
  await session.post('Profiler.start');
  // After that: the profiler has a thread of its own.
  standApart();
  const turns = await watched(run);
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const pauses = pausesOf(profile, origin);
  const lengths = turns.map(lengthOf);
  const uncollected = turns.map((turn) => lengthOf(turn) - overlap(turn, pauses)).sort((a, b) => a - b);
  return {
    longest: Math.max(0, ...lengths),
    uncollected: uncollected.at(-1) ?? 0,
    most: uncollected[Math.floor(uncollected.length * 0.99)] ?? 0,
    over: lengths.filter(isLong).length,
    overUncollected: uncollected.filter(isLong).length,
  };
}

const isLong = (length: number): boolean => length > LONG_MS;

const lengthOf = ({ start, end }: Span): number => end - start;

/** The turns that were longer than a millisecond. */
async function watched(run: () => Promise<unknown>): Promise<Span[]> {
  // To start sampling is a long turn by itself.
  await new Promise(setImmediate);
  const turns: Span[] = [];
  let watching = true;
  let last = performance.now();
  const turn = (): void => {
    const now = performance.now();
    if (now - last > 1) turns.push({ start: last, end: now });
    last = now;
    if (watching) setImmediate(turn);
  };
  setImmediate(turn);
  await run();
  // The last turn ends too.
  await new Promise(setImmediate);
  watching = false;
  return turns;
}

/** When the collector was found at work. @param origin - when the profile began, by the clock of the turns */
function pausesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, origin: number): Span[] {
  const collector = nodes.find(({ callFrame }) => callFrame.functionName === '(garbage collector)')?.id;
  const pauses: Span[] = [];
  let end = origin;
  samples.forEach((node, i) => {
    const start = end;
    end += (timeDeltas[i] ?? 0) / 1000;
    if (node === collector) pauses.push({ start, end });
  });
  return pauses;
}

/** Milliseconds of a turn that pauses take. */
function overlap(turn: Span, pauses: readonly Span[]): number {
  return pauses.reduce(
    (sum, { start, end }) => sum + Math.max(0, Math.min(end, turn.end) - Math.max(start, turn.start)),
    0,
  );
}
