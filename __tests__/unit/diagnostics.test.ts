import { describe, expect, it, jest } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { type BackendOptions, BackendClosedError, TimeoutError, type WaitOptions } from '../../src/index.ts';
import { publish } from '../../src/diagnostics.ts';
import { outcome } from '../support/contract/context.ts';
import { CHANNELS, listening, recording } from '../support/events.ts';
import { Results } from '../support/results.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const WAIT = 'celery-redis-backend:wait';
const TIMEOUT = 'celery-redis-backend:timeout';
const caller = new AsyncLocalStorage<string>();

function open(clock: VirtualClock, options: BackendOptions = {}): Results {
  return new Results({ clock, maxCachedResults: 10, ...options });
}

interface Answer {
  readonly by: string;
  readonly options?: WaitOptions;
  readonly uncached?: boolean;
  /** Before the wait. */
  readonly before?: (results: Results) => Promise<unknown>;
  /** Once it is subscribed. */
  readonly after?: (results: Results, clock: VirtualClock) => Promise<unknown>;
}

/** Stores without a message. */
function storeSilently({ space }: Results): void {
  const meta = { status: 'SUCCESS', result: 't', task_id: 't' };
  space.set('celery-task-meta-t', Buffer.from(JSON.stringify(meta)), null);
}

const ANSWERS: readonly Answer[] = [
  { by: 'message', after: (results) => results.succeed('t') },
  { by: 'read', before: (results) => results.succeed('t') },
  { by: 'read', options: { timeout: 0 }, before: (results) => results.succeed('t') },
  {
    by: 'cache',
    before: async (results) => {
      await results.succeed('t');
      await results.backend.getTaskMeta('t');
    },
  },
  {
    by: 'held',
    uncached: true,
    before: async (results) => {
      await results.backend.onTaskCall('t');
      await results.succeed('t');
      await settle();
    },
  },
  {
    by: 'backstop',
    after: async (results, clock) => {
      storeSilently(results);
      await clock.advance(30_000 * 1.25);
    },
  },
  {
    by: 'last look',
    options: { timeout: 5 },
    after: async (results, clock) => {
      storeSilently(results);
      await clock.advance(5000);
    },
  },
];

describe('the event of a wait', () => {
  for (const { by, options = {}, uncached, before, after } of ANSWERS) {
    const title = `says that it was answered by ${by}${options.timeout === 0 ? ' with a timeout of 0' : ''}`;
    it(`${title}, in the context of its caller, be it one of one task or of many`, async () => {
      for (const many of [false, true]) {
        const clock = new VirtualClock();
        await using results = open(clock, uncached ? { maxCachedResults: -1 } : {});
        await before?.(results);
        using heard = listening([WAIT], (event) => [event, caller.getStore()]);
        const value = caller.run('me', () => (many ? first(results, options) : results.backend.waitFor('t', options)));
        await settle();
        await after?.(results, clock);
        expect(await value).toBe('t');
        const event = { taskId: 't', outcome: 'ready', status: 'SUCCESS', by, duration: expect.any(Number) };
        // What is stored silently has no date.
        const dateDone =
          by === 'backstop' || by === 'last look' ? undefined : expect.stringMatching(/^2\d{3}-.*\+00:00$/);
        expect(heard.told).toEqual([[{ ...event, dateDone }, 'me']]);
      }
    });
  }

  it('has the state of a task that failed, and the seconds that it took', async () => {
    const clock = new VirtualClock();
    await using results = open(clock);
    using heard = recording(WAIT);
    await clock.advance(1000);
    const wait = outcome(results.backend.waitFor('t'));
    await clock.advance(2500);
    await results.fail('t');
    await wait;
    const dateDone = expect.any(String);
    expect(heard.told).toEqual([
      { taskId: 't', outcome: 'ready', status: 'FAILURE', by: 'message', dateDone, duration: 2.5 },
    ]);
  });

  it('says why a wait ended without a result, with the error that its caller gets', async () => {
    const clock = new VirtualClock();
    await using results = open(clock);
    using heard = recording(WAIT);
    using late = recording(TIMEOUT);
    const { backend } = results;
    const controller = new AbortController();
    const onMessage = (): void => {
      throw new Error('observer');
    };
    const waits = [
      backend.waitFor('failed', { onMessage }),
      backend.waitFor('aborted', { signal: controller.signal }),
      backend.waitFor('at once', { timeout: 0 }),
      backend.waitFor('late', { timeout: 3 }),
      backend.waitFor('closed'),
    ].map(outcome);
    await settle();
    await results.succeed('failed');
    controller.abort('enough');
    await clock.advance(3000);
    await backend.close();
    const errors = await Promise.all(waits);
    expect(heard.told.map(({ taskId, outcome: end }) => [taskId, end])).toEqual([
      ['at once', 'timeout'],
      ['aborted', 'aborted'],
      ['failed', 'failed'],
      ['late', 'timeout'],
      ['closed', 'closed'],
    ]);
    expect(errors[4]).toBeInstanceOf(BackendClosedError);
    expect(new Set(heard.told.map(({ error }) => error))).toEqual(new Set(errors));
    for (const { error } of heard.told) expect(errors).toContain(error);
    expect(late.told).toEqual([
      { taskId: 'at once', timeout: 0, duration: expect.any(Number), lastLook: 'unready' },
      { taskId: 'late', timeout: 3, duration: 3, lastLook: 'unready' },
    ]);
    expect(backend.stats()).toMatchObject({ timeouts: 2, foundAtDeadline: 0 });
  });

  it('comes to its limit for those who listen to limits alone', async () => {
    await using results = open(new VirtualClock());
    using heard = recording(TIMEOUT);
    await outcome(results.backend.waitFor('t', { timeout: 0 }));
    expect(heard.told).toEqual([{ taskId: 't', timeout: 0, duration: 0, lastLook: 'unready' }]);
  });

  it('comes once for each task of many, however they end, in the context of whoever waits', async () => {
    for (const end of ['timeout', 'aborted', 'closed', 'left'] as const) {
      const clock = new VirtualClock();
      await using results = open(clock);
      using heard = listening([WAIT, TIMEOUT], (event, name) => {
        const { taskId, outcome: what = 'late' } = event as { taskId: string; outcome?: string };
        return [taskId, name === WAIT ? what : 'limit', caller.getStore()];
      });
      const controller = new AbortController();
      const wait = caller.run('me', () =>
        outcome(collect(results, ['a', 'b', 'c'], { timeout: 3, signal: controller.signal }, end === 'left' ? 1 : 4)),
      );
      await settle();
      await results.succeed('b');
      await settle();
      if (end === 'aborted') controller.abort();
      if (end === 'closed') await results.backend.close();
      await clock.advance(3000);
      await wait;
      const rest = end === 'left' ? 'aborted' : end;
      const each = (id: string): unknown[] => [...(end === 'timeout' ? [[id, 'limit', 'me']] : []), [id, rest, 'me']];
      expect(heard.told).toEqual([['b', 'ready', 'me'], ...each('a'), ...each('c')]);
      expect(results.backend.stats().timeouts).toBe(end === 'timeout' ? 2 : 0);
    }
  });

  it('reads no clock for a wait that nobody listens to', async () => {
    const clock = new VirtualClock();
    await using results = open(clock);
    await results.succeed('t');
    // Read, and taken in by the cache at the next look.
    await results.backend.getTaskMeta('t');
    await results.backend.getTaskMeta('t');
    const now = jest.spyOn(clock, 'now');
    const heard = recording('celery-redis-backend:rescued');
    await results.backend.waitFor('t');
    // The cache's own: whether the entry has expired.
    const unheard = now.mock.calls.length;
    heard[Symbol.dispose]();
    now.mockClear();
    using waits = recording(WAIT);
    await results.backend.waitFor('t');
    expect(waits.told).toHaveLength(1);
    expect(now.mock.calls.length - unheard).toBe(2);
  });
});

describe('a result that a last look finds', () => {
  it('is counted, for a wait and for many', async () => {
    const clock = new VirtualClock();
    await using results = open(clock, { maxCachedResults: -1 });
    const waits = [results.backend.waitFor('t', { timeout: 5 }), first(results, { timeout: 5 })];
    await settle();
    storeSilently(results);
    await clock.advance(5000);
    expect(await Promise.all(waits)).toEqual(['t', 't']);
    expect(results.backend.stats()).toMatchObject({ foundAtDeadline: expect.any(Number), timeouts: 0, rescued: 0 });
    expect(results.backend.stats().foundAtDeadline).toBeGreaterThan(0);
  });
});

describe('a subscriber that throws', () => {
  it.each(CHANNELS)('on %s does so in its own turn, and the publisher goes on', async (name) => {
    const thrown = await uncaught(() => {
      using heard = listening([name], () => {
        throw new Error(name);
      });
      publish(name, {} as never);
      expect(heard.told).toEqual([]);
    });
    expect(thrown).toEqual([new Error(name)]);
  });

  it('changes nothing about a wait, one of many or its limit', async () => {
    const thrown = await uncaught(async () => {
      const clock = new VirtualClock();
      await using results = open(clock);
      using heard = listening([WAIT, TIMEOUT], () => {
        throw new Error('subscriber');
      });
      const waits = [results.backend.waitFor('t'), first(results, {}), results.backend.waitFor('x', { timeout: 1 })];
      const ends = Promise.all(waits.map(outcome));
      await settle();
      await results.succeed('t');
      await clock.advance(1000);
      expect(await ends).toEqual(['t', 't', expect.any(TimeoutError)]);
      expect(heard.told).toEqual([]);
      await settle();
    });
    expect(thrown).toHaveLength(4);
  });
});

describe('docs/observability.md', () => {
  const guide = readFileSync('docs/observability.md', 'utf8');
  const figures = guide.slice(guide.indexOf('\n## Figures\n'), guide.indexOf('\n## Events\n'));

  it('has a row for each diagnostics channel and no other', () => {
    const named = [...guide.matchAll(/^\| `(celery-redis-backend:[\w-]+)`/gm)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(CHANNELS.toSorted());
  });

  it('has a row for each figure of stats() and no other', async () => {
    await using results = open(new VirtualClock());
    const cells = [...figures.matchAll(/^\| (`[^|]*)\|/gm)].map(([, cell = '']) => cell);
    const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(named.toSorted()).toEqual(Object.keys(results.backend.stats()).toSorted());
  });
});

/** The value of the first of many waits. */
async function first(results: Results, options: WaitOptions): Promise<unknown> {
  for await (const { meta } of results.backend.asCompleted(['t'], options)) return meta.result;
  return undefined;
}

/** Takes so many of a wait for many, and leaves. */
async function collect(results: Results, ids: readonly string[], options: WaitOptions, count: number): Promise<void> {
  let left = count;
  for await (const { taskId } of results.backend.asCompleted(ids, options)) if (taskId && --left === 0) return;
}

/** What was thrown where nobody caught it, meanwhile. */
async function uncaught(run: () => unknown): Promise<unknown[]> {
  const thrown: unknown[] = [];
  // Listeners of `uncaughtException` would be those of the test runner, which fails the test.
  process.setUncaughtExceptionCaptureCallback((error) => thrown.push(error));
  try {
    await run();
    await settle();
  } finally {
    process.setUncaughtExceptionCaptureCallback(null);
  }
  return thrown;
}
