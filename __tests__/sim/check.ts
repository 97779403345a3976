/** What must hold of every run. Each checker returns what it found wrong. */
import { BackendClosedError, TimeoutError } from '../../src/errors.ts';
import { isReady } from '../../src/states.ts';
import { SLACK } from './plan.ts';
import { keyOf, type Run, type Sight, type StoreRecord, type WaitRecord } from './run.ts';
import type { KeyEvent } from './server.ts';

type Checker = (run: Run) => string[];

/** Every invariant, by name. */
export const INVARIANTS: Readonly<Record<string, Checker>> = {
  'each wait ends once, for a reason that its plan gives': endsOnce,
  'a wait ends with what was stored for its task': rightValue,
  'a wait ends within three seconds of the store, whatever broke': inTime,
  'no wait outlives its deadline': deadline,
  'a deadline finds what is stored by then': lastLook,
  'a watcher sees no state twice, and none after a newer one': watching,
  'a call for a task to come settles within 100 ms, and never fails': callsSettle,
  'a wait is not given what was forgotten before it': forgotten,
  'a SUCCESS stays': successStays,
  'a store that was acknowledged is there': acknowledged,
  'stores of one process leave in order': inOrder,
  'no store fails while faults are shorter than its patience': storesSucceed,
  'nothing is left behind': (run) => [...run.leaks],
};

/** What a run violates: the invariant and what was found. */
export function violations(run: Run): string[] {
  return Object.entries(INVARIANTS).flatMap(([name, check]) => check(run).map((found) => `${name}: ${found}`));
}

function eventsOf(run: Run, task: string): readonly KeyEvent[] {
  return run.keys.get(keyOf(task)) ?? [];
}

function name({ plan, joinedAt }: WaitRecord): string {
  return `the wait of p${plan.by} at ${joinedAt.toFixed(1)} for ${plan.tasks.join(' ')}`;
}

/** The faults that a process feels. */
function faultsOf(run: Run, by: number): Run['faults'] {
  return run.faults.filter(({ process }) => process === undefined || process === by);
}

/** Whether anything was wrong between two moments. */
function disturbed(run: Run, by: number, from: number, to: number): boolean {
  return faultsOf(run, by).some((fault) => {
    const end = Math.max(fault.recoverBy, 'end' in fault ? fault.end : 0);
    return fault.at - 50 <= to && end + SLACK >= from;
  });
}

/** The end of any stall of a process at this moment. */
function afterStall(run: Run, by: number, at: number): number {
  let end = at;
  for (const fault of run.faults) {
    if (fault.kind === 'stall' && fault.process === by && fault.at <= end && fault.end > end) end = fault.end;
  }
  return end;
}

function endsOnce(run: Run): string[] {
  return run.waits.flatMap((wait) => {
    const { plan, error, ends, endedAt } = wait;
    if (ends !== 1) return [`${name(wait)} was settled ${ends} times`];
    if (!error) return [];
    const closed = run.closedAt.get(plan.by) ?? Infinity;
    if (error instanceof BackendClosedError && (endedAt ?? 0) >= closed) return [];
    if (error instanceof TimeoutError && plan.timeout !== undefined) return [];
    if (error.message === 'aborted by plan' && plan.abortAt !== undefined) return [];
    if (error.message === 'thrown by plan' && plan.watch === 'throws') return [];
    // A single read has no second try.
    if (plan.timeout === 0 && disturbed(run, plan.by, wait.joinedAt, endedAt ?? 0)) return [];
    return [`${name(wait)} failed: ${String(error)}`];
  });
}

function rightValue(run: Run): string[] {
  return run.waits.flatMap((wait) => {
    const wrong: string[] = [];
    for (const { task, status, token, at } of wait.results) {
      const stored = eventsOf(run, task).some(
        (each) => each.what === 'set' && each.token === token && each.status === status && each.at <= at,
      );
      if (!stored || !isReady(status)) wrong.push(`${name(wait)} ended with ${status} #${token}, which is not stored`);
    }
    const tasks = wait.results.map(({ task }) => task);
    if (new Set(tasks).size < tasks.length) wrong.push(`${name(wait)} told a task twice`);
    if (!wait.error && tasks.length < wait.plan.tasks.length) wrong.push(`${name(wait)} left a task out`);
    return wrong;
  });
}

/** The times in which a ready result is there: from, to. */
function readyTimes(run: Run, task: string): [from: number, to: number][] {
  const times: [number, number][] = [];
  let from: number | undefined;
  let until = Infinity;
  for (const event of eventsOf(run, task)) {
    if (event.what === 'kept') continue;
    if (from !== undefined && until <= event.at) {
      times.push([from, until]);
      from = undefined;
    }
    const ready = event.what === 'set' && isReady(event.status);
    if (ready) {
      from ??= event.at;
      until = event.expiresAt;
    } else if (from !== undefined) {
      times.push([from, event.at]);
      from = undefined;
    }
  }
  if (from !== undefined) times.push([from, until]);
  return times;
}

/** When a wait that could have its result from `since` on must have ended. */
function latest(run: Run, by: number, since: number): number {
  const { backstop } = run.plan.layers;
  const slow = run.plan.muted.length > 0 || run.faults.some(({ kind, process }) => kind === 'deaf' && process === by);
  const allowance = SLACK + (slow ? backstop * 2600 : 0);
  let end = since + allowance;
  let recovered = -Infinity;
  for (const fault of faultsOf(run, by)) {
    if (fault.at - 50 > end) continue;
    // What breaks while something else recovers lengthens the pauses between attempts.
    const recoverBy = fault.recoverBy + (fault.at < recovered ? 5000 : 0);
    recovered = Math.max(recovered, recoverBy);
    end = Math.max(end, recoverBy + allowance);
  }
  return end;
}

function inTime(run: Run): string[] {
  return run.waits.flatMap((wait) => {
    const { plan, joinedAt, endedAt = Infinity } = wait;
    if (plan.timeout === 0) return [];
    // Without a message, a re-read or a backstop, only the deadline is left.
    if (run.plan.muted.length > 0 && run.plan.layers.backstop === 0) return [];
    let due = joinedAt;
    for (const task of plan.tasks) {
      const fits = readyTimes(run, task).map(([from, to]): number => {
        const end = latest(run, plan.by, Math.max(from, joinedAt));
        return end < to ? end : Infinity;
      });
      due = Math.max(due, Math.min(Infinity, ...fits));
    }
    const closed = run.closedAt.get(plan.by) ?? run.endedAt;
    const limit = plan.timeout === undefined ? Infinity : joinedAt + plan.timeout;
    if (due >= Math.min(closed, limit, plan.abortAt ?? Infinity)) return [];
    if (endedAt <= due && (!wait.error || wait.error.message === 'thrown by plan')) return [];
    return [
      `${name(wait)} was due at ${due.toFixed(1)}, and ${endedAt === Infinity ? 'never ended' : `ended at ${endedAt.toFixed(1)}`}`,
    ];
  });
}

function deadline(run: Run): string[] {
  const budget = run.plan.layers.lastLook * 1000;
  return run.waits.flatMap((wait) => {
    const { plan, joinedAt, endedAt = Infinity, error } = wait;
    if (!plan.timeout) return [];
    // What is known already is answered before any limit begins; its observer may take its time.
    if (!error && plan.watch === 'ponders' && wait.shown[0]?.at === joinedAt) return [];
    const end = afterStall(run, plan.by, afterStall(run, plan.by, joinedAt + plan.timeout) + budget);
    if (endedAt > end + 1e-6) return [`${name(wait)} had until ${end.toFixed(1)} and ended at ${endedAt.toFixed(1)}`];
    const early = error instanceof TimeoutError && endedAt < joinedAt + plan.timeout - 1e-6;
    return early ? [`${name(wait)} ended at ${endedAt.toFixed(1)}, before its deadline`] : [];
  });
}

function lastLook(run: Run): string[] {
  return run.waits.flatMap((wait) => {
    const { plan, joinedAt, error, endedAt = 0 } = wait;
    if (!(error instanceof TimeoutError) || plan.timeout === undefined) return [];
    if (plan.timeout > 0 && run.plan.layers.lastLook === 0) return [];
    // The connection has to be there before the deadline for the budget to do.
    if (plan.timeout > 0 && plan.timeout < SLACK) return [];
    const at = joinedAt + plan.timeout;
    if (disturbed(run, plan.by, at - 1000, endedAt)) return [];
    const there = plan.tasks.every((task) => readyTimes(run, task).some(([from, to]) => from < at && to > endedAt));
    return there ? [`${name(wait)} timed out at ${endedAt.toFixed(1)}, and all was there`] : [];
  });
}

function watching(run: Run): string[] {
  // A master that was deposed answers with what it had.
  if (run.plan.profile === 'failover') return [];
  return run.waits.flatMap((wait) => wait.plan.tasks.flatMap((task) => watchingOne(run, wait, task)));
}

/** What one wait was shown of one task. */
function watchingOne(run: Run, wait: WaitRecord, task: string): string[] {
  const wrong: string[] = [];
  let before: Sight | undefined;
  let place = -1;
  for (const sight of wait.shown.filter((each) => each.task === task)) {
    const what = `${name(wait)} was shown ${sight.status} #${sight.token} at ${sight.at.toFixed(1)}`;
    const next = placeOf(run, sight, place);
    if (before && isReady(before.status)) wrong.push(`${what}, after it was ready`);
    // What is ready counts always: it is the end, whatever overtook it.
    else if (next === -1 && !isReady(sight.status)) {
      if (before?.token === sight.token) wrong.push(`${what}, twice`);
      else if (!onItsWay(run, wait, sight)) wrong.push(`${what}, after a newer one`);
    }
    place = Math.max(place, next);
    before = sight;
  }
  return wrong;
}

/**
 * Whether a sighting may be a message that was on its way when a read, over the other connection, found a newer state.
 * It is shown all the same: nothing tells it from one that is newer still.
 */
function onItsWay(run: Run, { plan }: WaitRecord, { task, token, at }: Sight): boolean {
  if (disturbed(run, plan.by, at - SLACK, at)) return true;
  const [latency, jitter, lag] = run.plan.paths[plan.by] ?? [0, 0, 0];
  const stored = eventsOf(run, task).findLast(
    (event) => event.what === 'set' && event.token === token && event.at <= at,
  );
  // Those before it may hold it up.
  return stored !== undefined && at - stored.at <= latency + 2 * jitter + Math.max(0, lag);
}

/** Where in the history of its key a sighting is, after an earlier one. */
function placeOf(run: Run, { task, token, at }: Sight, after: number): number {
  return eventsOf(run, task).findIndex(
    (each, i) => i > after && each.what === 'set' && each.token === token && each.at <= at,
  );
}

/** Milliseconds that a message may be on its way while nothing is wrong. */
const ON_THE_WAY = 100;

/** Milliseconds that whoever sends a task waits for its subscription. */
const SENDING_DELAY = 100;

function callsSettle(run: Run): string[] {
  return run.calls.flatMap(({ plan, calledAt, endedAt = Infinity, error }) => {
    const what = `the call of p${plan.by} at ${calledAt.toFixed(1)} for ${plan.task}`;
    if (error) return [`${what} failed: ${String(error)}`];
    const end = afterStall(run, plan.by, calledAt + SENDING_DELAY);
    return endedAt > end + 1e-6 ? [`${what} ended at ${endedAt.toFixed(1)}`] : [];
  });
}

function forgotten(run: Run): string[] {
  // A master that was deposed answers with what it had.
  if (run.plan.profile === 'failover') return [];
  return run.forgets.flatMap(({ plan: { by, task }, calledAt, endedAt = Infinity, error }) => {
    if (error) return [];
    return run.waits
      .filter((wait) => wait.plan.by === by && wait.joinedAt > endedAt)
      .flatMap((wait) => {
        const result = wait.results.find((each) => each.task === task);
        const stored = eventsOf(run, task).findLast(({ what, token }) => what === 'set' && token === result?.token);
        // Its message may have been on the way.
        if (!result || !stored || stored.at > calledAt - ON_THE_WAY || disturbed(run, by, stored.at, endedAt))
          return [];
        return [`${name(wait)} was given #${result.token}, which was forgotten at ${calledAt.toFixed(1)}`];
      });
  });
}

function successStays(run: Run): string[] {
  return [...run.keys].flatMap(([key, events]) => {
    let success: KeyEvent | undefined;
    return events.flatMap((event): string[] => {
      if (success && success.expiresAt <= event.at) success = undefined;
      const over =
        event.what === 'set' && success
          ? [`${key}: ${event.status} #${event.token} over SUCCESS #${success.token}`]
          : [];
      if (event.what === 'gone') success = undefined;
      if (event.what === 'set' && event.status === 'SUCCESS') success = event;
      return over;
    });
  });
}

/** When a store was carried out. */
function executions(run: Run, { plan }: StoreRecord): KeyEvent[] {
  return eventsOf(run, plan.task).filter(({ token }) => token === plan.token);
}

function acknowledged(run: Run): string[] {
  return run.stores.flatMap((store) => {
    const { plan, outcome, calledAt, endedAt = 0 } = store;
    if (outcome === undefined) return [];
    const during = ({ at }: KeyEvent): boolean => at >= calledAt && at <= endedAt;
    const done =
      outcome === 'kept'
        ? eventsOf(run, plan.task).some(
            ({ status, what, at }) => status === 'SUCCESS' && what === 'set' && at <= endedAt,
          )
        : executions(run, store).some((event) => event.what === 'set' && during(event));
    return done ? [] : [`${plan.task} ${plan.state} #${plan.token} was said to be ${outcome}, and was not`];
  });
}

function inOrder(run: Run): string[] {
  return run.stores.flatMap((store, i) => {
    const later = run.stores
      .slice(i + 1)
      .find(({ plan }) => plan.by === store.plan.by && plan.task === store.plan.task);
    if (!later) return [];
    const last = executions(run, store).at(-1)?.at ?? -Infinity;
    const first = executions(run, later)[0]?.at ?? Infinity;
    return last > first ? [`${store.plan.task}: #${store.plan.token} was stored after #${later.plan.token}`] : [];
  });
}

function storesSucceed(run: Run): string[] {
  return run.stores.flatMap(({ plan, error, outcome, calledAt, endedAt = Infinity }) => {
    if (outcome !== undefined) return [];
    // A backend that is closed while Redis is away gives up in time.
    const closed = run.closedAt.get(plan.by) ?? Infinity;
    if (endedAt >= closed && endedAt < run.endedAt && disturbed(run, plan.by, calledAt, endedAt)) return [];
    return [`${plan.task} ${plan.state} #${plan.token}: ${error ? String(error) : 'never ended'}`];
  });
}
