/** What must hold of every run. Each checker returns what it found wrong. */
import { BackendClosedError, TimeoutError } from '../../src/errors.ts';
import { isReady } from '../../src/states.ts';
import type { FaultRecord, Run, StoreRecord, WaitRecord } from './history.ts';

/** One thing that is wrong. */
export interface Violation {
  readonly invariant: string;
  readonly text: string;
  /** Whose history tells more. */
  readonly task: string | undefined;
}

type Found = Omit<Violation, 'invariant'>;

/** An invariant, and what it counts as in the summary. */
interface Invariant {
  readonly counts: 'lost' | 'wrong' | 'late' | 'leaked';
  readonly check: (run: Run) => Found[];
}

/** Every invariant, by name. */
export const INVARIANTS: Readonly<Record<string, Invariant>> = {
  'each wait ends once, for a reason that its plan gives': { counts: 'lost', check: endsOnce },
  'a wait ends with what was stored for its task': { counts: 'wrong', check: rightValue },
  'a wait ends within three seconds of the store, or of the end of what keeps it': { counts: 'late', check: inTime },
  'no wait outlives its deadline': { counts: 'late', check: deadline },
  'a deadline finds what is stored by then': { counts: 'lost', check: lastLook },
  'a watcher sees no state twice, and none after it is ready': { counts: 'wrong', check: watching },
  'a call for a task to come settles within 100 ms, and never fails': { counts: 'late', check: callsSettle },
  'a SUCCESS stays': { counts: 'wrong', check: successStays },
  'a store that was acknowledged is there': { counts: 'lost', check: acknowledged },
  'no store fails while faults are shorter than its patience': { counts: 'lost', check: storesSucceed },
  'nothing is left behind': { counts: 'leaked', check: (run) => run.leaks.map((text) => ({ text, task: undefined })) },
};

/** Milliseconds within which a result is found once nothing keeps it. */
const BOUND_MS = 3000;
/** Milliseconds that a few timers and turns of the loop take, each of which is too short to be measured. */
const GRAIN_MS = 100;
/** Milliseconds that whoever sends a task waits for its subscription. */
const SENDING_MS = 100;

/** What a run violates. */
export function violations(run: Run): Violation[] {
  return Object.entries(INVARIANTS).flatMap(([invariant, { check }]) =>
    check(run).map((found) => ({ invariant, ...found })),
  );
}

/** Milliseconds between the moment that a result could be had and the end of the wait that came last. */
export function worstLateness(run: Run): number {
  const late = run.waits.flatMap((wait) => {
    const base = availableAt(run, wait);
    return wait.error || base === undefined ? [] : [(wait.endedAt ?? run.endedAt) - base];
  });
  return Math.max(0, ...late);
}

function found(wait: WaitRecord, what: string): Found {
  const { plan, joinedAt } = wait;
  const text = `the wait of p${plan.by} at ${joinedAt.toFixed(0)} for ${plan.tasks.join(' ')} ${what}`;
  return { text, task: plan.tasks[0] };
}

function storesOf(run: Run, task: string): readonly StoreRecord[] {
  return index(run).get(task) ?? [];
}

const indices = new WeakMap<Run, Map<string, StoreRecord[]>>();

/** The stores by task. */
function index(run: Run): Map<string, StoreRecord[]> {
  const known = indices.get(run);
  if (known) return known;
  const stores = new Map<string, StoreRecord[]>();
  for (const store of run.stores) {
    const { task } = store.plan;
    const others = stores.get(task);
    if (others) others.push(store);
    else stores.set(task, [store]);
  }
  indices.set(run, stores);
  return stores;
}

/** From when on a task is ready for good: the first acknowledged SUCCESS, or else the last store of any. */
function readyFrom(run: Run, task: string): number | undefined {
  const stores = storesOf(run, task);
  const successes = stores.filter(({ plan, outcome }) => plan.state === 'SUCCESS' && outcome !== undefined);
  if (successes.length > 0) return Math.min(...successes.map(({ endedAt = Infinity }) => endedAt));
  if (!stores.some(({ plan, outcome }) => isReady(plan.state) && outcome !== undefined)) return undefined;
  return Math.max(...stores.map(({ endedAt = Infinity }) => endedAt));
}

/** Whether Redis itself may have lost a store that was acknowledged at this moment. */
function mayBeLost(run: Run, at: number): boolean {
  return run.faults.some(({ loses }) => loses !== undefined && at >= loses.from && at <= loses.to);
}

/** When all that a wait waits for could be had; undefined when some of it never could, or may have been lost. */
function availableAt(run: Run, { plan, joinedAt }: WaitRecord): number | undefined {
  let base = joinedAt;
  for (const task of plan.tasks) {
    const from = readyFrom(run, task);
    if (from === undefined || mayBeLost(run, from)) return undefined;
    base = Math.max(base, from);
  }
  return base;
}

/** The faults that a process feels. */
function faultsOf(run: Run, by: number): readonly FaultRecord[] {
  return run.faults.filter((fault) => fault.by === undefined || fault.by === by);
}

/** When a wait must have ended whose result could be had from `base` on; that channels were forbidden keeps it longer. */
function latest(run: Run, wait: WaitRecord, base: number): number {
  return dueAt(base, faultsOf(run, wait.plan.by), run.lag, ({ plan, end }, due) =>
    plan.kind === 'acl' && end >= openedAt(run, wait) ? Math.max(due, end + BOUND_MS) + unannounced(run) : due,
  );
}

/** When the channel was opened that a wait joined, by the first of those of its process that overlap: it may be refused. */
function openedAt({ waits }: Run, wait: WaitRecord): number {
  const { by, tasks } = wait.plan;
  const shared = waits.filter(({ plan }) => plan.by === by && plan.tasks.some((task) => tasks.includes(task)));
  return shared
    .toSorted((a, b) => b.joinedAt - a.joinedAt)
    .reduce((opened, { joinedAt, endedAt = Infinity }) => {
      return joinedAt < opened && endedAt >= opened ? joinedAt : opened;
    }, wait.joinedAt);
}

/**
 * Three seconds after `base`, with the time added for which links or the server were down meanwhile, and not before a
 * heartbeat had time to find out what only it can.
 *
 * @param faults - those that are felt, in the order they began
 * @param lengthen - what a fault makes of what is due, besides
 */
export function dueAt(
  base: number,
  faults: readonly FaultRecord[],
  lag: Run['lag'],
  lengthen: (fault: FaultRecord, due: number) => number = (_, due) => due,
): number {
  let due = base + BOUND_MS;
  let downUntil = base;
  for (const fault of faults) {
    const { at, end, noticedBy } = fault;
    if (at > due) break;
    due = lengthen(fault, due);
    // Those that overlap count once.
    const down = Math.max(0, end - Math.max(at, downUntil));
    due = Math.max(due + down, noticedBy);
    downUntil = Math.max(downUntil, end);
  }
  return due + lag.between(base, due);
}

/** Milliseconds after which the backstop has found what no message announces. */
function unannounced({ plan }: Run): number {
  return plan.layers.backstop * 2600;
}

function endsOnce(run: Run): Found[] {
  return run.waits.flatMap((wait) => {
    const { plan, error, ends } = wait;
    // For what Redis lost it may not end at all, but never twice.
    if (ends === 0 && availableAt(run, wait) === undefined) return [];
    if (ends !== 1) return [found(wait, `was settled ${ends} times`)];
    if (!error || error instanceof TimeoutError) return [];
    if (error.message === 'aborted by plan' && (plan.abortAt ?? Infinity) < Infinity) return [];
    // It was still waiting when the run was over, for what Redis lost.
    if (error instanceof BackendClosedError && availableAt(run, wait) === undefined) return [];
    return [found(wait, `failed: ${String(error)}`)];
  });
}

function rightValue(run: Run): Found[] {
  return run.waits.flatMap((wait) => {
    const wrong: Found[] = [];
    for (const { task, status, token, at } of wait.results) {
      const stored = storesOf(run, task).some(
        ({ plan, calledAt }) => plan.token === token && plan.state === status && calledAt <= at,
      );
      if (!stored || !isReady(status)) wrong.push(found(wait, `ended with ${status} #${token}, which is not stored`));
    }
    const tasks = wait.results.map(({ task }) => task);
    if (new Set(tasks).size < tasks.length) wrong.push(found(wait, 'told a task twice'));
    if (!wait.error && wait.ends === 1 && tasks.length < wait.plan.tasks.length)
      wrong.push(found(wait, 'left a task out'));
    return wrong;
  });
}

function inTime(run: Run): Found[] {
  return run.waits.flatMap((wait) => {
    const { plan, joinedAt, endedAt = Infinity, error } = wait;
    const base = availableAt(run, wait);
    // Without messages only the deadline is left.
    if (base === undefined || plan.timeout === 0 || run.plan.muted) return [];
    const due = latest(run, wait, base);
    const limit = Math.min(
      joinedAt + plan.timeout,
      plan.abortAt === undefined ? Infinity : joinedAt + plan.abortAt - plan.at,
    );
    if (due >= limit || (endedAt <= due && !error)) return [];
    const end =
      endedAt === Infinity ? 'never ended' : `ended at ${endedAt.toFixed(0)}${error ? `: ${String(error)}` : ''}`;
    return [found(wait, `could have its result at ${base.toFixed(0)}, was due at ${due.toFixed(0)} and ${end}`)];
  });
}

function deadline(run: Run): Found[] {
  return run.waits.flatMap((wait) => {
    const { plan, joinedAt, endedAt = Infinity, error } = wait;
    const limit = joinedAt + plan.timeout;
    if (limit > run.endedAt) return [];
    const end = limit + run.plan.layers.lastLook * 1000 + GRAIN_MS;
    const excused = run.lag.between(limit, Math.min(endedAt, run.endedAt));
    if (endedAt > end + excused) return [found(wait, `had until ${end.toFixed(0)} and ended at ${endedAt.toFixed(0)}`)];
    if (error instanceof TimeoutError && endedAt < limit - GRAIN_MS) return [found(wait, 'ended before its deadline')];
    return [];
  });
}

/** Where nothing but the last look can find a result, it does. */
function lastLook(run: Run): Found[] {
  if (run.plan.profile !== 'deadline') return [];
  return run.waits.flatMap((wait) => {
    const { plan, joinedAt, error } = wait;
    const base = availableAt(run, wait);
    if (!(error instanceof TimeoutError) || base === undefined || base > joinedAt + plan.timeout) return [];
    // A look that the loop kept from its budget has failed.
    const { lastLook: budget } = run.plan.layers;
    if (run.lag.between(joinedAt + plan.timeout, joinedAt + plan.timeout + budget * 1000) > budget * 500) return [];
    return [found(wait, 'timed out, and all was there')];
  });
}

function watching(run: Run): Found[] {
  return run.waits.flatMap((wait) =>
    wait.plan.tasks.flatMap((task) => {
      const sights = wait.shown.filter((sight) => sight.task === task);
      return sights.flatMap(({ status, token }, i) => {
        const before = sights[i - 1];
        if (!before) return [];
        if (isReady(before.status)) return [found(wait, `was shown ${status} #${token} after ${before.status}`)];
        // A store that is tried again may have worked before, and publishes once more.
        const again = before.token === token && !run.retried.has(task);
        return again ? [found(wait, `was shown ${status} #${token} twice`)] : [];
      });
    }),
  );
}

function callsSettle(run: Run): Found[] {
  return run.calls.flatMap(({ plan, calledAt, endedAt = Infinity, error }) => {
    const text = `the call of p${plan.by} at ${calledAt.toFixed(0)} for ${plan.task}`;
    if (error) return [{ text: `${text} failed: ${String(error)}`, task: plan.task }];
    const end = calledAt + SENDING_MS + GRAIN_MS + run.lag.between(calledAt, Math.min(endedAt, run.endedAt));
    return endedAt > end ? [{ text: `${text} ended at ${endedAt.toFixed(0)}`, task: plan.task }] : [];
  });
}

/** In what was published; the state at the end is checked with the acknowledgements. */
function successStays(run: Run): Found[] {
  const successes = new Map<string, { readonly token: string; readonly at: number }>();
  return run.published.flatMap(({ task, status, token, at, order }) => {
    const name = `${order} ${task}`;
    const success = successes.get(name);
    if (status === 'SUCCESS') successes.set(name, { token, at });
    if (!success || success.token === token) return [];
    if (run.faults.some(({ loses }) => loses && seenBy(run, loses.to) >= success.at && loses.from <= at)) return [];
    return [{ text: `${task}: ${status} #${token} was published after SUCCESS #${success.token}`, task }];
  });
}

/** When the observer has been told of what was published up to a moment. */
function seenBy(run: Run, at: number): number {
  return at + GRAIN_MS + run.lag.between(at, at + GRAIN_MS);
}

function acknowledged(run: Run): Found[] {
  return [...index(run)].flatMap(([task, stores]) => {
    const acked = stores.filter(({ outcome, endedAt }) => outcome !== undefined && !mayBeLost(run, endedAt ?? 0));
    if (acked.length === 0) return [];
    const stored = run.keys.get(task);
    if (!stored) return [{ text: `${task} was stored, and is not there`, task }];
    const what = `${task} is ${stored.status} #${stored.token} at the end`;
    const origin = stores.find(({ plan }) => plan.token === stored.token);
    if (origin?.plan.state !== stored.status) return [{ text: `${what}, which nobody stored`, task }];
    const success = acked.find(({ plan, outcome }) => outcome === 'kept' || plan.state === 'SUCCESS');
    if (success && stored.status !== 'SUCCESS')
      return [{ text: `${what}, though it was SUCCESS by #${success.plan.token}`, task }];
    // Stores of one process leave in order.
    const later = stores.find(
      ({ plan, calledAt, outcome, endedAt }) =>
        plan.by === origin.plan.by &&
        outcome === 'stored' &&
        calledAt > origin.calledAt &&
        plan.at > origin.plan.at &&
        !mayBeLost(run, endedAt ?? 0),
    );
    return later && stored.status !== 'SUCCESS'
      ? [{ text: `${what}, though #${later.plan.token} came later`, task }]
      : [];
  });
}

function storesSucceed(run: Run): Found[] {
  return run.stores.flatMap(({ plan, error, outcome }) => {
    if (outcome !== undefined) return [];
    const text = `${plan.task} ${plan.state} #${plan.token}: ${error ? String(error) : 'never ended'}`;
    return [{ text, task: plan.task }];
  });
}
