/** One seed: its run, what it violates and what it comes to. */
import { INVARIANTS, type Violation, violations, worstLateness } from './check.ts';
import { ClusterStage } from './cluster.ts';
import { type Run, tell } from './history.ts';
import { type Plan, planOf, type Profile, type Topology } from './plan.ts';
import { carryOut } from './run.ts';
import { SentinelStage } from './sentinel.ts';
import type { Stage } from './stage.ts';
import { Standalone } from './standalone.ts';

/** Figures of one run or of many. */
export interface Figures {
  readonly seeds: number;
  readonly tasks: number;
  readonly waits: number;
  readonly faults: number;
  readonly lost: number;
  readonly wrong: number;
  readonly late: number;
  readonly leaked: number;
  /** Milliseconds. */
  readonly worstLateness: number;
  readonly worstLag: number;
}

/** What came of a seed. */
export interface Verdict {
  readonly seed: number;
  readonly profile: Profile;
  readonly figures: Figures;
  readonly violations: readonly Violation[];
  /** How the first of them came about. */
  readonly history: readonly string[];
}

const STAGES: Readonly<Record<Topology, (plan: Plan) => Promise<Stage>>> = {
  standalone: (plan) => Standalone.start(plan),
  sentinel: (plan) => SentinelStage.start(plan),
  cluster: (plan) => ClusterStage.start(plan),
};

/** Runs a seed and checks it. */
export async function runSeed(seed: number, topology: Topology, profile: Profile | undefined): Promise<Verdict> {
  const plan = planOf(seed, topology, profile);
  const run = await carryOut(plan, STAGES[topology]);
  const found = violations(run);
  // What is lost or wrong tells more than what is late.
  const worst = found.toSorted((a, b) => weight(a) - weight(b));
  const first = worst.find(({ task }) => task !== undefined)?.task;
  return {
    seed,
    profile: plan.profile,
    figures: figuresOf(run, found),
    violations: worst,
    history: first === undefined ? [] : tell(run, first),
  };
}

const WEIGHTS = ['wrong', 'lost', 'leaked', 'late'];

function weight({ invariant }: Violation): number {
  return WEIGHTS.indexOf(INVARIANTS[invariant]?.counts ?? '');
}

function figuresOf(run: Run, found: readonly Violation[]): Figures {
  const count = (kind: string): number =>
    found.filter(({ invariant }) => INVARIANTS[invariant]?.counts === kind).length;
  return {
    seeds: 1,
    tasks: run.plan.tasks.length,
    waits: run.waits.length,
    faults: run.faults.length,
    lost: count('lost'),
    wrong: count('wrong'),
    late: count('late'),
    leaked: count('leaked'),
    worstLateness: worstLateness(run),
    worstLag: run.lag.worst,
  };
}

/** The figures of many runs. */
export function sum(all: readonly Figures[]): Figures {
  const add = (name: keyof Figures): number => all.reduce((total, each) => total + each[name], 0);
  const most = (name: keyof Figures): number => Math.max(0, ...all.map((each) => each[name]));
  return {
    seeds: add('seeds'),
    tasks: add('tasks'),
    waits: add('waits'),
    faults: add('faults'),
    lost: add('lost'),
    wrong: add('wrong'),
    late: add('late'),
    leaked: add('leaked'),
    worstLateness: most('worstLateness'),
    worstLag: most('worstLag'),
  };
}
