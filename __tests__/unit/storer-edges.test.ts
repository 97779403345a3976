import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { BackendClosedError, type BackendStoreError } from '../../src/errors.ts';
import type { StoreOutcome } from '../../src/ports.ts';
import type { AlwaysRetry, RetryPolicy } from '../../src/retry.ts';
import type { StoreJob } from '../../src/store-job.ts';
import { Storer } from '../../src/storer.ts';
import { RecordedWarnings } from '../support/driver.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const POLICY: RetryPolicy = { maxRetries: 2, intervalStart: 1, intervalStep: 1, intervalMax: 2 };
const MIB = 2 ** 20;
const RETRY_EVENTS = 'celery-redis-backend:store-retry';

let clock: VirtualClock;
let warnings: RecordedWarnings;
let events: unknown[];
const note = (event: unknown): void => {
  events.push(event);
};

beforeEach(() => {
  clock = new VirtualClock();
  warnings = new RecordedWarnings();
  events = [];
  subscribe(RETRY_EVENTS, note);
  jest.spyOn(Math, 'random').mockReturnValue(1);
});

afterEach(() => {
  unsubscribe(RETRY_EVENTS, note);
  jest.restoreAllMocks();
  expect(clock.timers).toBe(0);
});

function create(alwaysRetry: AlwaysRetry | false = false, commandTimeoutMs = 5_000): Storer {
  const options = { policy: POLICY, alwaysRetry, commandTimeoutMs, maxPending: 10, maxPendingBytes: 10 * MIB };
  return new Storer(options, clock, warnings);
}

interface Watched {
  readonly tries: number[];
  outcome: unknown;
}

/** A write of which every try fails, each after so many milliseconds. */
function store(storer: Storer, job: Partial<StoreJob> = {}, takesMs = 0, failures = Infinity): Watched {
  const watched: Watched = { tries: [], outcome: 'pending' };
  const write = async (): Promise<'stored'> => {
    watched.tries.push(clock.now());
    if (takesMs > 0) await new Promise<void>((resolve) => clock.after(takesMs, resolve));
    if (watched.tries.length > failures) return 'stored';
    throw outage();
  };
  storer.store({ taskId: 't', state: 'SUCCESS', bytes: 0, ...job, write }).then(
    (outcome) => (watched.outcome = outcome),
    (error: unknown) => (watched.outcome = error),
  );
  return watched;
}

describe('a store that fails', () => {
  it('is tried again as often as the policy has it, and published each time', async () => {
    const storer = create();
    const watched = store(storer);
    await clock.advance(10_000);
    expect(watched.tries).toEqual([0, 1_000, 3_000]);
    expect(events).toEqual([
      { taskId: 't', attempt: 1, error: outage() },
      { taskId: 't', attempt: 2, error: outage() },
    ]);
    expect([storer.retries, storer.pending]).toEqual([2, 0]);
  });

  it.each([
    [{}, 'Could not store SUCCESS of task t after 3 tries: out of reach'],
    [{ state: '' }, 'Could not store group t after 3 tries: out of reach'],
    [{ what: 'save the chord t' }, 'Could not save the chord t after 3 tries: out of reach'],
  ])('says what: %j', async (job, message) => {
    const watched = store(create(), job);
    await clock.advance(10_000);
    expect(watched.outcome).toMatchObject({ message, cause: outage() });
  });

  it('says nothing of tries when there was one only, and takes what is thrown for the reason', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever it is
    const job = { taskId: 't', state: 'SUCCESS', bytes: 1, write: () => Promise.reject('a text') };
    await expect(create().store(job)).rejects.toThrow(/^Could not store SUCCESS of task t: a text$/);
  });

  // 3 s of pauses, 5 s, and one for the MiB: a try that ends at 6 or 7 s, with 2 s to pause, is just in time.
  it.each([
    [0, 2_500, [0, 3_500, 8_000]],
    [MIB, 3_000, [0, 4_000, 9_000]],
  ])('of %d bytes is tried again up to the very end of the time for it', async (bytes, takesMs, tries) => {
    const inTime = store(create(), { bytes }, takesMs);
    await clock.advance(20_000);
    expect(inTime.tries).toEqual(tries);
    const late = store(create(), { bytes }, takesMs + 1);
    await clock.advance(20_000);
    expect(late.tries).toHaveLength(2);
  });

  it.each([
    [MIB - 1, [0, 0]],
    [MIB, [0, 500]],
  ])('of %d bytes is tried again after a pause where that is a MiB', async (bytes, tries) => {
    const options = { policy: { ...POLICY, intervalStart: 0 }, alwaysRetry: false as const, commandTimeoutMs: 5_000 };
    const storer = new Storer({ ...options, maxPending: 10, maxPendingBytes: 10 * MIB }, clock, warnings);
    const watched = store(storer, { bytes }, 0, 1);
    await clock.advance(500);
    expect([watched.tries, watched.outcome]).toEqual([tries, 'stored']);
  });

  it('has so much time: its retries and one try, or all there is with alwaysRetry', () => {
    expect(create().patienceMs).toBe(3_000 + 5_000);
    expect(create({ maxRetries: 1, baseSleep: 1, maxSleep: 1 }).patienceMs).toBe(Infinity);
  });

  it('has a second more for each MiB that is pending before it', async () => {
    const storer = create();
    store(storer, { taskId: 'large', bytes: 4 * MIB }, 6_000);
    const small = store(storer, {}, 9_000, 1);
    await clock.advance(60_000);
    expect(small).toEqual({ tries: [0, 10_000], outcome: 'stored' });
  });

  it('has the same time whenever it was accepted', async () => {
    const storer = create();
    await clock.advance(100_000);
    const watched = store(storer);
    await clock.advance(10_000);
    expect(watched.tries).toEqual([100_000, 101_000, 103_000]);
  });

  it('goes on beyond its policy with growing pauses, as often as alwaysRetry has it', async () => {
    const watched = store(create({ baseSleep: 1, maxSleep: 100, maxRetries: 2 }));
    await clock.advance(60_000);
    expect(watched.tries).toEqual([0, 1_000, 3_000, 5_000, 9_000]);
    expect((watched.outcome as BackendStoreError).message).toContain('after 5 tries');
  });
});

describe('stores of one task', () => {
  it('are each pending until it ends, and begin in their turn', async () => {
    const storer = create();
    const pending = (): unknown => [storer.pending, storer.pendingBytes];
    store(storer, { bytes: 1 }, 1_000, 0);
    const second = store(storer, { bytes: 20 }, 1_000, 0);
    expect(pending()).toEqual([2, 21]);
    await clock.advance(1_000);
    expect([pending(), second.tries]).toEqual([[1, 20], [1_000]]);
    // In its turn, though the first of them is over.
    const third = store(storer, { bytes: 300 }, 0, 0);
    await settle();
    expect([pending(), third.tries]).toEqual([[2, 320], []]);
    await clock.advance(1_000);
    expect([pending(), third.tries]).toEqual([[0, 0], [2_000]]);
  });
});

describe('closing', () => {
  it('ends at once, without a timer, when nothing is under way', async () => {
    let shut = 0;
    await create().close(10_000, () => Promise.resolve(void (shut += 1)));
    expect([shut, clock.timers, warnings.given]).toEqual([1, 0, []]);
  });

  it('names all of five, and counts no store that failed before', async () => {
    const storer = create();
    store(storer, { taskId: 'before' });
    await clock.advance(60_000);
    for (let i = 0; i < 5; i += 1) store(storer, { taskId: `t${i}` }, 500);
    void storer.close(100, () => Promise.resolve());
    await clock.advance(10_000);
    const names = [0, 1, 2, 3, 4].map((i) => `store SUCCESS of task t${i}`).join(', ');
    expect(warnings.given.map(({ message }) => message)).toEqual([
      `The backend was closed before it could ${names} (5 in all).`,
    ]);
  });

  it('fails a store at its next pause, after the tries that it had', async () => {
    const storer = create();
    const watched = store(storer, {}, 500);
    const times: Record<string, number> = {};
    const shut = (): Promise<void> => Promise.resolve(void (times['shut'] = clock.now()));
    void storer.close(100, shut).then(() => (times['closed'] = clock.now()));
    await clock.advance(10_000);
    // The try under way is waited for.
    expect(times).toEqual({ shut: 100, closed: 500 });
    expect(watched.tries).toEqual([0]);
    expect((watched.outcome as BackendStoreError).cause).toBeInstanceOf(BackendClosedError);
    expect(warnings.given).toEqual([
      {
        code: 'CELERY_STORES_LOST',
        message: 'The backend was closed before it could store SUCCESS of task t (1 in all).',
      },
    ]);
  });
});

describe('a state that is queued behind others of its task in an outage', () => {
  const CELERYS: RetryPolicy = { maxRetries: 20, intervalStart: 0, intervalStep: 1, intervalMax: 1 };
  /** What the pauses of its retries make together. */
  const PATIENCE = 19_000;

  /** Tries as they fail in an outage that ends at `backMs`. */
  const OUTAGES: readonly (readonly [name: string, attempt: (backMs: number) => Promise<StoreOutcome>])[] = [
    [
      'that refuses each at once',
      (backMs) => (clock.now() >= backMs ? Promise.resolve('stored') : Promise.reject(outage())),
    ],
    [
      'in which each waits for its connection',
      (backMs) =>
        new Promise((resolve, reject) => {
          const limit = clock.now() + 5_000;
          if (backMs <= limit)
            clock.after(Math.max(0, backMs - clock.now()), () => {
              resolve('stored');
            });
          else
            clock.after(5_000, () => {
              reject(outage());
            });
        }),
    ],
    [
      'in which each that was sent is never answered',
      (backMs) =>
        new Promise((resolve, reject) => {
          if (clock.now() >= backMs) resolve('stored');
          else
            clock.after(5_000, () => {
              reject(outage());
            });
        }),
    ],
  ];

  it.each(OUTAGES)(
    '%s is stored whenever Redis is back in the time of its own retries, counted from its acceptance, in order',
    async (_name, attempt) => {
      for (let backMs = 500; backMs < 60_000; backMs += 1_700) {
        clock = new VirtualClock();
        const options = {
          policy: CELERYS,
          alwaysRetry: false,
          commandTimeoutMs: 5_000,
          maxPending: 10,
          maxPendingBytes: MIB,
        } as const;
        const storer = new Storer(options, clock, warnings);
        const accepted = [0, 1, 3_000, 9_000, 9_001, 20_000, 30_000];
        const order: number[] = [];
        const outcomes = new Map<number, unknown>();
        for (const [place, atMs] of accepted.entries()) {
          await clock.advance(atMs - clock.now());
          const write = async (): Promise<StoreOutcome> => {
            const outcome = await attempt(backMs);
            order.push(place);
            return outcome;
          };
          storer.store({ taskId: 't', state: `S${place}`, bytes: 1, write }).then(
            (outcome) => outcomes.set(place, outcome),
            (error: unknown) => outcomes.set(place, error),
          );
        }
        await clock.advance(300_000);
        const due = accepted.flatMap((atMs, place) => (backMs <= atMs + PATIENCE ? [place] : []));
        for (const place of due) expect([backMs, place, outcomes.get(place)]).toEqual([backMs, place, 'stored']);
        expect(outcomes.size).toBe(accepted.length);
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
    },
  );
});
