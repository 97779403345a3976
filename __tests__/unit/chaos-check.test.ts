/** The judge of the chaos suite, where a subscription was refused. */
import { describe, expect, it } from '@jest/globals';
import { violations } from '../chaos/check.ts';
import type { Run, WaitRecord } from '../chaos/history.ts';

const SIGHT = { at: 0, task: 't', status: 'SUCCESS', token: '#1' };

function wait(joinedAt: number, endedAt: number): WaitRecord {
  const plan = { by: 0, tasks: ['t'], timeout: 60_000, at: joinedAt };
  const record = { plan, joinedAt, endedAt, ends: 1, results: [SIGHT], shown: [], error: undefined, signal: undefined };
  return record as unknown as WaitRecord;
}

/** A result at 6738, of a task whose channel was forbidden from 6320 to 6681; the backstop reads every 2 s or more. */
function late(...waits: WaitRecord[]): string[] {
  const store = {
    plan: { task: 't', state: 'SUCCESS', token: '#1' },
    calledAt: 6736,
    endedAt: 6738,
    outcome: 'stored',
  };
  const acl = { plan: { kind: 'acl' }, by: 0, at: 6320, end: 6681, noticedBy: 0, loses: undefined };
  const run = {
    plan: { layers: { backstop: 2 } },
    stores: [store],
    waits,
    calls: [],
    faults: [acl],
    published: [],
    keys: new Map([['t', SIGHT]]),
    retried: new Set(),
    connections: [],
    leaks: [],
    lag: { between: () => 0, worst: 0 },
    endedAt: 30_000,
  } as unknown as Run;
  return violations(run)
    .filter(({ invariant }) => invariant.startsWith('a wait ends within three seconds'))
    .map(({ text }) => text.replace(/ could have.*/, ''));
}

describe('a wait that ends later than three seconds after the store', () => {
  it('is late where its channel was never forbidden', () => {
    expect(late(wait(6736, 10_719))).toEqual(['the wait of p0 at 6736 for t']);
  });

  it('is not where it joined another while its channel was refused: nothing but the backstop reads it', () => {
    expect(late(wait(6400, 10_719), wait(6736, 10_719))).toEqual([]);
    expect(late(wait(6400, 6700), wait(6690, 10_719), wait(6736, 10_719))).toEqual([]);
  });

  it('is, when that other was gone before it came, or the backstop had its time', () => {
    expect(late(wait(6400, 6700), wait(6736, 10_719))).toEqual(['the wait of p0 at 6736 for t']);
    expect(late(wait(6400, 16_000), wait(6736, 16_000))).toHaveLength(2);
  });
});
