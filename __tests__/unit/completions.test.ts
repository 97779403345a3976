import { beforeEach, describe, expect, it } from '@jest/globals';
import { type WaitEnd, WaitFailure, type WaitLimits } from '../../src/consumer/channel.ts';
import { type Completion, Completions } from '../../src/consumer/completions.ts';
import { BackendClosedError } from '../../src/errors.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { outcome } from '../support/contract/context.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const meta = (status: string): TaskMeta => ({ status, result: null });
const DONE = meta('SUCCESS');

interface Batch {
  readonly ids: readonly string[];
  readonly answer: (metas: readonly (readonly [string, TaskMeta])[]) => void;
  readonly fail: (error: Error) => void;
}

interface Wait {
  readonly limits: WaitLimits;
  readonly end: (end: WaitEnd) => void;
}

let clock: VirtualClock;
let usable: boolean;
let batches: Batch[];
let waits: Map<string, Wait>;
let tally: { foundAtDeadline: number; timeouts: number };

beforeEach(() => {
  clock = new VirtualClock();
  usable = true;
  batches = [];
  waits = new Map();
  tally = { foundAtDeadline: 0, timeouts: 0 };
});

function run(ids: readonly string[], timeoutMs?: number, onMessage?: (meta: TaskMeta) => unknown): Completions {
  const parts = {
    clock,
    lastLookMs: 250,
    usable: () => usable,
    readMany: (asked: readonly string[]): Promise<ReadonlyMap<string, TaskMeta>> =>
      new Promise((resolve, reject) => {
        batches.push({
          ids: asked,
          answer: (metas) => {
            resolve(new Map(metas));
          },
          fail: reject,
        });
      }),
    wait: (id: string, limits: WaitLimits): Promise<WaitEnd> =>
      new Promise((resolve) => {
        waits.set(id, { limits, end: resolve });
      }),
    tally,
  };
  return new Completions(parts, ids, { timeoutMs, observerOf: () => onMessage });
}

/** What comes of a run, as it comes. */
function watch(completions: Completions): { readonly seen: string[]; error: unknown } {
  const watched: { readonly seen: string[]; error: unknown } = { seen: [], error: 'none' };
  void (async () => {
    try {
      for await (const [id] of completions.run()) watched.seen.push(id);
      watched.seen.push('over');
    } catch (error) {
      watched.error = error;
    }
  })();
  return watched;
}

describe('completions', () => {
  it('wait for nothing that the batch found ready', async () => {
    const watched = watch(run(['a', 'b']));
    batches[0]?.answer([
      ['a', DONE],
      ['b', meta('FAILURE')],
    ]);
    await settle();
    expect([watched.seen, [...waits], clock.timers]).toEqual([['a', 'b', 'over'], [], 0]);
  });

  it('wait for all when the batch fails, since the link may come back', async () => {
    const watched = watch(run(['a', 'b']));
    batches[0]?.fail(outage());
    await settle();
    expect([...waits.keys()]).toEqual(['a', 'b']);
    waits.get('b')?.end(DONE);
    waits.get('a')?.end(DONE);
    await settle();
    expect(watched.seen).toEqual(['b', 'a', 'over']);
  });

  it('with timeout 0 reject with the reason when the batch fails', async () => {
    const watched = watch(run(['a'], 0));
    batches[0]?.fail(new BackendClosedError());
    await settle();
    expect(watched.error).toBeInstanceOf(BackendClosedError);
  });

  it('are bounded while the batch is under way too', async () => {
    const watched = watch(run(['a'], 500));
    await clock.advance(750);
    expect(watched.error).toMatchObject({ taskId: 'a', timeout: 0.5, lastLook: 'failed' });
    batches[0]?.answer([['a', meta('PENDING')]]);
    await settle();
    expect([waits.size, clock.timers]).toEqual([0, 0]);
  });

  it('look once more at their deadline, in one batch at what is left', async () => {
    const watched = watch(run(['a', 'b', 'c'], 1_000));
    batches[0]?.answer([['b', DONE]]);
    await clock.advance(1_000);
    expect(batches[1]?.ids).toEqual(['a', 'c']);
    batches[1]?.answer([
      ['c', DONE],
      ['a', meta('STARTED')],
    ]);
    await settle();
    expect([watched.seen, watched.error]).toEqual([
      ['b', 'c'],
      expect.objectContaining({ taskId: 'a', lastLook: 'unready' }),
    ]);
    expect(waits.get('a')?.limits.signal?.aborted).toBe(true);
  });

  it('are over without an error when the last look finds all that is left', async () => {
    const watched = watch(run(['a'], 1_000));
    batches[0]?.answer([]);
    await clock.advance(1_000);
    batches[1]?.answer([['a', DONE]]);
    await settle();
    expect([watched.seen, watched.error, clock.timers]).toEqual([['a', 'over'], 'none', 0]);
  });

  it('say so when the last look was not possible, or failed', async () => {
    const watched = watch(run(['a'], 1_000));
    batches[0]?.answer([]);
    await settle();
    usable = false;
    await clock.advance(1_000);
    expect(watched.error).toMatchObject({ lastLook: 'skipped' });
    usable = true;
    const other = watch(run(['a'], 1_000));
    batches.at(-1)?.answer([]);
    await clock.advance(1_000);
    batches.at(-1)?.fail(outage());
    await settle();
    expect(other.error).toMatchObject({ lastLook: 'failed' });
  });

  it('tell what came before a failure, and nothing that came before an abort', async () => {
    const [failed, aborted] = [run(['a', 'b', 'c']), run(['a', 'b'])];
    const runs = [failed.run(), aborted.run()] as const;
    const firsts = runs.map((each) => each.next());
    for (const batch of batches)
      batch.answer([
        ['a', DONE],
        ['b', DONE],
      ]);
    await Promise.all(firsts);
    waits.get('c')?.end(new WaitFailure('failed', () => new Error('c')));
    aborted.abort('enough');
    await settle();
    const tell = async (each: AsyncGenerator<Completion>): Promise<unknown> => outcome(each.next());
    expect([await tell(runs[0]), await tell(runs[0])]).toEqual([{ done: false, value: ['b', DONE] }, new Error('c')]);
    expect(await tell(runs[1])).toBe('enough');
  });

  it('end what they wait for as soon as one wait fails, even if nobody asks for more', async () => {
    const completions = run(['a', 'b']);
    const first = outcome(completions.run().next());
    batches[0]?.answer([]);
    await settle();
    waits.get('b')?.end(new WaitFailure('failed', () => new Error('b')));
    await settle();
    expect(waits.get('a')?.limits.signal?.aborted).toBe(true);
    expect(await first).toEqual(new Error('b'));
  });

  it('show what a batch finds ready, and end with what the observer throws', async () => {
    const watched = watch(
      run(['a', 'b'], undefined, () => {
        throw new Error('observer');
      }),
    );
    batches[0]?.answer([['a', DONE]]);
    await settle();
    expect([watched.seen, watched.error]).toEqual([[], new Error('observer')]);
  });
});
