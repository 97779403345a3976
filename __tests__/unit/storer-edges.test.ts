import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { BackendClosedError, type BackendStoreError } from '../../src/errors.ts';
import type { AlwaysRetry, RetryPolicy } from '../../src/retry.ts';
import { Storer } from '../../src/storer.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const POLICY: RetryPolicy = { maxRetries: 2, intervalStart: 1, intervalStep: 1, intervalMax: 2 };
const RETRY_EVENTS = 'celery-redis-backend:store-retry';

let clock: VirtualClock;
let events: unknown[];
const note = (event: unknown): void => {
  events.push(event);
};

beforeEach(() => {
  clock = new VirtualClock();
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
  return new Storer({ policy: POLICY, alwaysRetry, commandTimeoutMs }, clock);
}

interface Watched {
  readonly tries: number[];
  outcome: unknown;
}

/** A write of which every try fails, each after so many milliseconds. */
function store(storer: Storer, job: { what?: string; state?: string } = {}, takesMs = 0, failures = Infinity): Watched {
  const watched: Watched = { tries: [], outcome: 'pending' };
  const write = async (): Promise<'stored'> => {
    watched.tries.push(clock.now());
    if (takesMs > 0) await new Promise<void>((resolve) => clock.after(takesMs, resolve));
    if (watched.tries.length > failures) return 'stored';
    throw outage();
  };
  storer.store({ taskId: 't', state: 'SUCCESS', ...job, write }).then(
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
    const job = { taskId: 't', state: 'SUCCESS', write: () => Promise.reject('a text') };
    await expect(create().store(job)).rejects.toThrow(/^Could not store SUCCESS of task t: a text$/);
  });

  it('is tried again up to the very end of the time for its retries and one try more', async () => {
    // 3 s of pauses and 5 s: a try that ends at 6 s, with 2 s to pause, is just in time.
    const inTime = store(create(), {}, 2_500);
    await clock.advance(20_000);
    expect(inTime.tries).toEqual([0, 3_500, 8_000]);
    const late = store(create(), {}, 2_501);
    await clock.advance(20_000);
    expect(late.tries).toHaveLength(2);
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
  it('are one pending task until the last of them ends', async () => {
    const storer = create();
    store(storer, {}, 1_000, 0);
    const second = store(storer, {}, 1_000, 0);
    expect(storer.pending).toBe(1);
    await clock.advance(1_000);
    expect([storer.pending, second.tries]).toEqual([1, [1_000]]);
    // In its turn, though the one before it is over.
    const third = store(storer, {}, 0, 0);
    await settle();
    expect(third.tries).toEqual([]);
    await clock.advance(1_000);
    expect([third.tries, storer.pending]).toEqual([[2_000], 0]);
  });
});

describe('closing', () => {
  it('ends at once, without a timer, when nothing is under way', async () => {
    await create().close(10_000);
    expect(clock.timers).toBe(0);
  });

  it('fails a store at its next pause, after the tries that it had', async () => {
    const storer = create();
    const watched = store(storer, {}, 500);
    const closed = storer.close(100);
    await clock.advance(100);
    await closed;
    await clock.advance(10_000);
    expect(watched.tries).toEqual([0]);
    expect((watched.outcome as BackendStoreError).cause).toBeInstanceOf(BackendClosedError);
  });
});
