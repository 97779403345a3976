/** The serializer is loaded within the limits of the waits that need it. */
import type { Clock } from './clock.ts';
import { failureOf, WaitFailure, type WaitLimits } from './consumer/channel.ts';
import type { Looks } from './consumer/looks.ts';
import { abortable } from './consumer/signals.ts';
import type { Tally } from './consumer/tally.ts';
import type { WaitReporter } from './consumer/wait-report.ts';
import { TimeoutError } from './errors.ts';
import type { Loader } from './loader.ts';

/** What such waits are made of. */
export interface LoadingParts {
  readonly loader: Loader;
  readonly clock: Clock;
  /** Where they count as waits. */
  readonly looks: Looks;
  readonly tally: Tally;
}

/**
 * Waits for the serializer. Never rejects.
 *
 * @param taskIds - whose waits these are, with limits in common
 * @returns what is left of the limits, or how the waits ended
 */
export async function loadWithin(
  { loader, clock, looks, tally }: LoadingParts,
  taskIds: readonly string[],
  limits: WaitLimits,
): Promise<WaitLimits | WaitFailure> {
  const { timeoutMs, signal } = limits;
  const [first = ''] = taskIds;
  const beganMs = clock.now();
  // A wait of 0 s is a read.
  const loading = timeoutMs === 0 ? undefined : loader.wait(timeoutMs ?? Infinity);
  try {
    const loaded = loading?.loaded ?? loader.read(first).then(() => true);
    const outcome = await looks.one(abortable(loaded, signal), taskIds.length);
    if (outcome instanceof WaitFailure) return outcome;
    if (!timeoutMs) return limits;
    // None is left at 0, which would ask for one read alone.
    if (outcome) return { ...limits, timeoutMs: Math.max(1, timeoutMs - clock.now() + beganMs), givenMs: timeoutMs };
  } catch (error) {
    return failureOf(error, signal);
  } finally {
    loading?.leave();
  }
  tally.timeouts += taskIds.length;
  return new WaitFailure('timeout', () => new TimeoutError(first, timeoutMs / 1000, 'unloaded'));
}

/** The same for waits that are told of together. @throws what ended them, of which each is told */
export async function loadAllWithin(
  parts: LoadingParts,
  taskIds: readonly string[],
  limits: WaitLimits,
  report: WaitReporter | undefined,
): Promise<WaitLimits> {
  const left = await loadWithin(parts, taskIds, limits);
  if (!(left instanceof WaitFailure)) return left;
  for (const taskId of taskIds) report?.(taskId, left);
  throw left.error();
}
