import { beforeEach, describe, expect, it } from '@jest/globals';
import { type MetaObserver, type WaitEnd, WaitFailure, type WaitLimits } from '../../src/consumer/channel.ts';
import { type CompletionParts, Completions } from '../../src/consumer/completions.ts';
import { Tally } from '../../src/consumer/tally.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { outcome } from '../support/contract/context.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

type Metas = ReadonlyMap<string, TaskMeta>;

const DONE: TaskMeta = { status: 'SUCCESS', result: null };

let clock: VirtualClock;
let tally: Tally;
/** Answers to the batches of reads, in order. */
let answers: ((metas: Metas) => void)[];
let waits: Map<string, { readonly limits: WaitLimits; readonly end: (end: WaitEnd) => void }>;

beforeEach(() => {
  clock = new VirtualClock();
  tally = new Tally();
  answers = [];
  waits = new Map();
});

const metas = (...ids: string[]): Metas => new Map(ids.map((id) => [id, DONE]));

function run(
  ids: readonly string[],
  timeoutMs?: number,
  observer?: MetaObserver,
  parts: Partial<CompletionParts> = {},
): Completions {
  const all: CompletionParts = {
    clock,
    lastLookMs: 250,
    usable: () => true,
    readMany: () => new Promise((resolve) => answers.push(resolve)),
    wait: (id, limits) => new Promise((end) => waits.set(id, { limits, end })),
    tally,
    ...parts,
  };
  return new Completions(all, ids, { timeoutMs, observerOf: () => observer });
}

describe('a run', () => {
  it('without a limit has no timer', async () => {
    const each = run(['a']).run();
    const first = each.next();
    answers[0]?.(metas());
    await settle();
    expect(clock.timers).toBe(0);
    waits.get('a')?.end(DONE);
    expect(await first).toEqual({ done: false, value: ['a', DONE] });
  });

  it('waits for all of them when the batch has no answer for a second and a millisecond each; then it counts no more', async () => {
    const seen: TaskMeta[] = [];
    const first = run(['a', 'b'], undefined, (meta) => seen.push(meta))
      .run()
      .next();
    await clock.advance(1001);
    expect(waits.size).toBe(0);
    await clock.advance(1);
    expect([...waits.keys()]).toEqual(['a', 'b']);
    answers[0]?.(metas('a', 'b'));
    await settle();
    waits.get('b')?.end(DONE);
    expect([await first, seen]).toEqual([{ done: false, value: ['b', DONE] }, []]);
  });

  it('with timeout 0 ends after the batch, without a wait', async () => {
    const first = outcome(run(['a', 'b'], 0).run().next());
    answers[0]?.(new Map());
    expect(await first).toMatchObject({ taskId: 'a', timeout: 0, lastLook: 'unready' });
    expect(waits.size).toBe(0);
    expect(tally).toMatchObject({ timeouts: 2, foundAtDeadline: 0 });
  });

  it('with timeout 0 rejects with what the read throws', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    expect(await outcome(run(['a'], 0, undefined, { readMany: broken }).run().next())).toEqual(new Error('broken'));
  });

  it('ends its waits and its timer when nobody wants the rest', async () => {
    const each = run(['a', 'b'], 1_000).run();
    const first = each.next();
    answers[0]?.(metas('a'));
    await first;
    await settle();
    await each.return();
    expect([waits.get('b')?.limits.signal?.aborted, clock.timers]).toEqual([true, 0]);
  });

  it('ends its timer with its last task, though nobody asks for that yet', async () => {
    const each = run(['a', 'b'], 1_000).run();
    const first = each.next();
    answers[0]?.(metas('a', 'b'));
    await first;
    expect(clock.timers).toBe(0);
    expect([await each.next(), await each.next()]).toEqual([
      { done: false, value: ['b', DONE] },
      { done: true, value: undefined },
    ]);
    expect(tally.foundAtDeadline).toBe(0);
  });

  it('reports all that are left as failed when an observer throws', async () => {
    const reported: unknown[] = [];
    const report = (taskId: string, end: WaitEnd): void => {
      reported.push([taskId, end instanceof WaitFailure ? end.outcome : end]);
    };
    const broken = (): never => {
      throw new Error('mine');
    };
    const first = outcome(run(['a', 'b'], undefined, broken, { report }).run().next());
    answers[0]?.(metas('a'));
    expect(await first).toEqual(new Error('mine'));
    expect(reported).toEqual([
      ['a', 'failed'],
      ['b', 'failed'],
    ]);
  });

  it('may be aborted before it begins', async () => {
    const completions = run(['a']);
    completions.abort('enough');
    expect(await outcome(completions.run().next())).toBe('enough');
  });

  it('shows its observer once what a wait and then the last look find', async () => {
    const seen: TaskMeta[] = [];
    const each = run(['a', 'b'], 1_000, (meta) => seen.push(meta)).run();
    const first = each.next();
    answers[0]?.(new Map());
    await clock.advance(1_000);
    waits.get('a')?.end(DONE);
    expect(await first).toEqual({ done: false, value: ['a', DONE] });
    answers[1]?.(metas('a', 'b'));
    expect(await each.next()).toEqual({ done: false, value: ['b', DONE] });
    // That of `a` was shown by its wait.
    expect(seen).toEqual([DONE]);
    expect(tally).toMatchObject({ timeouts: 0, foundAtDeadline: 1 });
  });

  it('tells what came, whatever an observer rejects with after the end', async () => {
    let reject: (error: Error) => void = () => undefined;
    const observer = (): Promise<never> =>
      new Promise((_, rejecting) => {
        reject = rejecting;
      });
    const each = run(['a'], undefined, observer).run();
    const first = each.next();
    answers[0]?.(metas('a'));
    await first;
    reject(new Error('late'));
    await settle();
    expect(await each.next()).toEqual({ done: true, value: undefined });
  });
});
