/** What happened in a run. Times are milliseconds from its beginning. */
import type { CallPlan, FaultPlan, Plan, StorePlan, WaitPlan } from './plan.ts';
import type { LoopLag } from './lag.ts';

/** A meta as it was shown, or ended a wait. */
export interface Sight {
  readonly at: number;
  readonly task: string;
  readonly status: string;
  readonly token: string;
}

/** What came of a store. */
export interface StoreRecord {
  readonly plan: StorePlan;
  readonly calledAt: number;
  endedAt: number | undefined;
  outcome: string | undefined;
  error: Error | undefined;
}

/** What came of a wait. */
export interface WaitRecord {
  readonly plan: WaitPlan;
  readonly joinedAt: number;
  endedAt: number | undefined;
  /** How often it was settled. */
  ends: number;
  readonly results: Sight[];
  readonly shown: Sight[];
  error: Error | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What came of an `onTaskCall`. */
export interface CallRecord {
  readonly plan: CallPlan;
  readonly calledAt: number;
  endedAt: number | undefined;
  error: Error | undefined;
}

/** A fault as it came about. */
export interface FaultRecord {
  readonly plan: FaultPlan;
  /** Whose waits feel it. */
  readonly by: number | undefined;
  readonly at: number;
  /** When what it broke could be reached again, and was tried. */
  end: number;
  /** What a heartbeat finds out by itself is found by then. */
  readonly noticedBy: number;
  /** What Redis itself may lose: stores that were acknowledged in between. */
  readonly loses: { readonly from: number; to: number } | undefined;
}

/** A published meta. `order` tells the connections of the observer apart. */
export interface Published extends Sight {
  readonly order: string;
}

/** Everything that is known of a run that is over. */
export interface Run {
  readonly plan: Plan;
  readonly stores: readonly StoreRecord[];
  readonly waits: readonly WaitRecord[];
  readonly calls: readonly CallRecord[];
  readonly faults: readonly FaultRecord[];
  readonly published: readonly Published[];
  /** What is stored at the end, by task. */
  readonly keys: ReadonlyMap<string, Sight>;
  /** Tasks of which a store was tried again. */
  readonly retried: ReadonlySet<string>;
  /** Connections of either process that were made or lost. */
  readonly connections: readonly { readonly at: number; readonly what: string }[];
  readonly leaks: readonly string[];
  readonly lag: Pick<LoopLag, 'between' | 'worst'>;
  readonly endedAt: number;
}

/** A meta that is stored or published. */
export function sightOf(key: string, payload: string, at: number): Sight {
  const status = /"status": ?"([A-Z]+)"/.exec(payload)?.[1] ?? '';
  return { at, task: taskOf(key), status, token: tokenOf(payload) };
}

const PREFIX = 'celery-task-meta-';

/** Every key of a run, and every channel. */
export const PATTERN = 'celery-task-meta-*';

export function taskOf(key: string): string {
  return key.slice(PREFIX.length);
}

/** The value of a store: what tells it from others, and as many characters as its plan says. */
export function valueOf({ token, size }: StorePlan): string {
  return `#${token}#${'x'.repeat(size)}`;
}

export function tokenOf(text: string): string {
  return /#(\d+)#/.exec(text)?.[1] ?? '';
}

/** What is known of a task, for reading. */
export function tell(run: Run, task: string): string[] {
  const lines: { readonly at: number; readonly what: string }[] = [];
  const add = (at: number | undefined, what: string): void => {
    if (at !== undefined) lines.push({ at, what });
  };
  for (const { plan, calledAt, endedAt, outcome, error } of run.stores) {
    if (plan.task !== task) continue;
    add(calledAt, `p${plan.by} stores ${plan.state} #${plan.token}`);
    add(endedAt, `p${plan.by} #${plan.token}: ${outcome ?? String(error)}`);
  }
  run.waits.forEach(({ plan, joinedAt, endedAt, results, shown, error }, i) => {
    if (!plan.tasks.includes(task)) return;
    add(joinedAt, `p${plan.by} wait ${i}${plan.many ? ' for many' : ''}, ${plan.timeout} ms`);
    for (const sight of shown) add(sight.at, `p${plan.by} wait ${i} is shown ${sight.status} #${sight.token}`);
    for (const sight of results)
      if (sight.task === task) add(sight.at, `p${plan.by} wait ${i} has ${sight.status} #${sight.token}`);
    add(endedAt, `p${plan.by} wait ${i} is over${error ? `: ${String(error)}` : ''}`);
  });
  for (const { plan, calledAt, endedAt } of run.calls) {
    if (plan.task !== task) continue;
    add(calledAt, `p${plan.by} is about to send it`);
    add(endedAt, `p${plan.by} goes on`);
  }
  for (const { task: of, at, status, token } of run.published)
    if (of === task) add(at, `published: ${status} #${token}`);
  for (const { plan, at, end, by } of run.faults) {
    add(at, `fault: ${JSON.stringify(plan)}`);
    if (end > at) add(end, `fault over: ${plan.kind}${by === undefined ? '' : ` of p${by}`}`);
  }
  for (const { at, what } of run.connections) add(at, `connection of ${what}`);
  const stored = run.keys.get(task);
  return [
    ...lines.sort((a, b) => a.at - b.at).map(({ at, what }) => `${at.toFixed(0).padStart(8)}  ${what}`),
    `     end  ${stored ? `stored: ${stored.status} #${stored.token}` : 'nothing is stored'}`,
  ];
}
