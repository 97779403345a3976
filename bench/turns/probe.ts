/** How long single turns of the event loop are, and how much of the longest is the collector's. */
import { type Profiler, Session } from 'node:inspector/promises';

/** What a probe saw. */
export interface Turns {
  /** Milliseconds of the longest turn, by the clock. */
  readonly longest: number;
  /** Milliseconds of it that V8's collector took. */
  readonly collecting: number;
  /** How many turns were longer than 10 ms. */
  readonly over: number;
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
  const { worst, over } = await watched(run);
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return { longest: worst.end - worst.start, collecting: collectingIn(profile, origin, worst), over };
}

async function watched(run: () => Promise<unknown>): Promise<{ worst: Span; over: number }> {
  // To start sampling is a long turn by itself.
  await new Promise(setImmediate);
  let worst: Span = { start: 0, end: 0 };
  let over = 0;
  let watching = true;
  let last = performance.now();
  const turn = (): void => {
    const now = performance.now();
    if (now - last > LONG_MS) over += 1;
    if (now - last > worst.end - worst.start) worst = { start: last, end: now };
    last = now;
    if (watching) setImmediate(turn);
  };
  setImmediate(turn);
  await run();
  // The last turn ends too.
  await new Promise(setImmediate);
  watching = false;
  return { worst, over };
}

/** @param origin - when the profile began, by the clock of the span */
function collectingIn(
  { nodes, samples = [], timeDeltas = [], startTime }: Profiler.Profile,
  origin: number,
  span: Span,
): number {
  const collector = nodes.find(({ callFrame }) => callFrame.functionName === '(garbage collector)')?.id;
  let at = startTime;
  let us = 0;
  samples.forEach((node, i) => {
    const delta = timeDeltas[i] ?? 0;
    at += delta;
    const ms = (at - startTime) / 1000 + origin;
    if (node === collector && ms >= span.start && ms <= span.end) us += delta;
  });
  return us / 1000;
}
