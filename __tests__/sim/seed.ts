/** One seed: its run and what it violates. */
import { createHash } from 'node:crypto';
import { violations } from './check.ts';
import { planOf } from './plan.ts';
import { carryOut, type Run } from './run.ts';

/** What came of a seed. */
export interface Verdict {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly run: Run | undefined;
}

/** Runs a seed and checks it. */
export async function runSeed(seed: number): Promise<Verdict> {
  const run = await carryOut(planOf(seed));
  return { seed, violations: violations(run), run };
}

/** What is wrong, and how to see it happen. */
export function replayOf({ seed, violations: found }: Pick<Verdict, 'seed' | 'violations'>): string {
  return `seed ${seed} fails; replay it with: npm run sim -- --seed ${seed}\n  ${found.join('\n  ')}`;
}

/** The history of a run, for reading. */
export function historyOf({ seed, violations: found, run }: Verdict): string {
  if (!run) return `seed ${seed}`;
  const { plan, history } = run;
  const lines = history.map(({ at, who, what }) => `${at.toFixed(1).padStart(9)}  ${who.padEnd(16)} ${what}`);
  const head = `seed ${seed}, ${plan.profile}, ${plan.paths.map(([least, more, lag]) => `${least}-${least + more} ms (${lag < 0 ? `replies ${-lag}` : `messages ${lag}`} more)`).join(', ')}`;
  return [head, ...lines, `hash ${hashOf(run)}`, ...(found.length > 0 ? found : ['nothing is wrong'])].join('\n');
}

/** Tells whether two runs were the same. */
export function hashOf({ history }: Run): string {
  return createHash('sha1').update(JSON.stringify(history)).digest('hex').slice(0, 16);
}
