/** A result that is stored, published and waited for, as any other. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { DiagnosticEvents } from '../../diagnostics.ts';
import { CeleryError } from '../../errors.ts';
import type { StoreOutcome } from '../../ports.ts';
import { RedisBackend } from '../../redis/backend.ts';
import type { Config } from '../config.ts';
import { messageOf } from '../exit-codes.ts';
import type { Check } from './check.ts';

const CHECK = 'round-trip';
const WAIT = 'celery-redis-backend:wait';
/** After a first one that makes the connections. */
const ROUNDS = 5;
/** Seconds that one may take. */
const LIMIT = 5;
/** Seconds that a result lives which may not be forgotten. */
const LIFETIME = 60;
/** What is slower is worth a word. */
const SLOW_MS = 250;

/** One round trip. */
interface Round {
  readonly ms: number;
  readonly outcome: StoreOutcome;
  readonly by: DiagnosticEvents[typeof WAIT]['by'];
}

/**
 * Stores results of no task, awaits them, forgets them, and tells how long it took from the store to the wake. Commands:
 * those of `onTaskCall`, `waitForMeta`, `storeResult` and `forget`.
 */
export async function checkRoundTrip({ options }: Config): Promise<Check> {
  const own = {
    expires: LIFETIME,
    ignoreResult: false,
    maxCachedResults: -1,
    backstop: 1,
    retryPolicy: { maxRetries: 0 },
  };
  const backend = new RedisBackend({}, { ...options, ...own, alwaysRetry: false });
  const rounds: Round[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round += 1) rounds.push(await roundOf(backend));
  } catch (error) {
    if (!(error instanceof CeleryError)) throw error;
    const message = messageOf(error);
    const change = /\(allow it: ([^)]*)\)/.exec(message)?.[1];
    return { check: CHECK, status: 'fail', found: message, means: 'results do not come through', change };
  } finally {
    await backend.close();
  }
  return judgeRounds(rounds);
}

/** What the rounds tell; the first one only made the connections. */
export function judgeRounds(rounds: readonly Round[]): Check {
  const pattern = '&celery-task-meta-*';
  if (rounds.some(({ outcome }) => outcome === 'unannounced')) {
    const found = 'results are stored, and not published';
    const means = 'whoever waits finds them late, by re-reading every 30 s';
    return { check: CHECK, status: 'fail', found, means, change: `ACL SETUSER <user> +publish ${pattern}` };
  }
  // On a machine that is busy the re-read may be first, now and then.
  if (rounds.every(({ by }) => by !== 'message')) {
    const found = 'results are stored, and no message of them arrives';
    const means = 'whoever waits finds them late, by re-reading every 30 s';
    return { check: CHECK, status: 'fail', found, means, change: `ACL SETUSER <user> +subscribe ${pattern}` };
  }
  const times = rounds
    .slice(1)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  const found = `${median.toFixed(2)} ms from a store to the wake of who waits (median of ${times.length}, the longest ${(times.at(-1) ?? 0).toFixed(2)} ms)`;
  if (median > SLOW_MS) {
    const means = 'results come through, but the way to Redis, or Redis itself, is slow';
    return { check: CHECK, status: 'warn', found, means, change: 'compare redis-cli --latency, and see SLOWLOG GET' };
  }
  return { check: CHECK, status: 'ok', found, means: 'results are stored, published, and wake who waits' };
}

async function roundOf(backend: RedisBackend): Promise<Round> {
  const taskId = `doctor-${randomUUID()}`;
  let by: Round['by'];
  const onWait = (message: unknown): void => {
    const event = message as DiagnosticEvents[typeof WAIT];
    if (event.taskId === taskId) by = event.by;
  };
  subscribe(WAIT, onWait);
  try {
    await backend.onTaskCall(taskId);
    let wokeMs = 0;
    const woken = backend.waitForMeta(taskId, { timeout: LIMIT }).then(() => {
      wokeMs = performance.now();
    });
    woken.catch(() => undefined);
    // The wait's own read comes before this one.
    await backend.getStatus(taskId);
    const storedMs = performance.now();
    const outcome = await backend.storeResult(taskId, null, 'SUCCESS');
    await woken;
    return { ms: wokeMs - storedMs, outcome, by };
  } finally {
    unsubscribe(WAIT, onWait);
    // Where it may not be forgotten it is gone soon.
    await backend.forget(taskId).catch(() => undefined);
  }
}
