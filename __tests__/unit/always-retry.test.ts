import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BackendClosedError, BackendError, BackendStoreError } from '../../src/errors.ts';
import { PatientStore } from '../../src/patient-store.ts';
import type { StoreOutcome } from '../../src/ports.ts';
import { type AlwaysRetry, jitteredInterval } from '../../src/retry.ts';
import { Storer } from '../../src/storer.ts';
import { outage, ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const CELERYS: AlwaysRetry = { baseSleep: 0.01, maxSleep: 10, maxRetries: Infinity };

let clock: VirtualClock;
let driver: ScriptedDriver;

/** What a promise has come to so far. */
function watch(promise: Promise<unknown>): { outcome: unknown } {
  const watched: { outcome: unknown } = { outcome: 'pending' };
  promise.then(
    (value) => (watched.outcome = value),
    (error: unknown) => (watched.outcome = error),
  );
  return watched;
}

beforeEach(() => {
  clock = new VirtualClock();
  driver = new ScriptedDriver();
});

describe('the interval before a retry', () => {
  it('is a random part of a time that doubles from twice the base, up to a bound', () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(1);
    try {
      const all = [1, 2, 3, 9, 10, 5000].map((retry) => jitteredInterval(CELERYS, retry));
      expect(all).toEqual([0.02, 0.04, 0.08, 5.12, 10, 10]);
      random.mockReturnValue(0.25);
      expect(jitteredInterval(CELERYS, 10)).toBe(2.5);
    } finally {
      random.mockRestore();
    }
  });

  it('is a number, whatever the policy', () => {
    expect(jitteredInterval({ baseSleep: 0, maxSleep: 10, maxRetries: Infinity }, 1e6)).toBe(0);
  });
});

describe('a read with alwaysRetry', () => {
  it('is tried until it works', async () => {
    const store = new PatientStore(driver, CELERYS, clock);
    const watched = watch(store.readMany(['a', 'b']));
    for (let tries = 1; tries <= 50; tries += 1) {
      expect(driver.reads).toHaveLength(tries);
      driver.reads.at(-1)?.fail();
      await clock.advance(10_000);
    }
    driver.reads.at(-1)?.answer([null, Buffer.from('b')]);
    await settle();
    expect(watched.outcome).toEqual([null, Buffer.from('b')]);
    expect(clock.timers).toBe(0);
  });

  it('is tried as often as it is allowed to, then fails with the last error', async () => {
    const store = new PatientStore(driver, { ...CELERYS, maxRetries: 2 }, clock);
    const watched = watch(store.read('a'));
    for (let tries = 1; tries <= 3; tries += 1) {
      expect([driver.reads.length, watched.outcome]).toEqual([tries, 'pending']);
      driver.reads.at(-1)?.fail();
      await clock.advance(10_000);
    }
    expect(watched.outcome).toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
    expect(driver.reads).toHaveLength(3);
  });

  it('is not tried again after an error that will not pass', async () => {
    const watched = watch(new PatientStore(driver, CELERYS, clock).read('a'));
    const refusal = new BackendError('WRONGTYPE', { code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGTYPE' });
    driver.reads.at(-1)?.fail(refusal);
    await settle();
    expect(watched.outcome).toBe(refusal);
  });

  it('ends when the backend closes, in a pause or after it, with BackendClosedError', async () => {
    const store = new PatientStore(driver, CELERYS, clock);
    const [pausing, reading] = [watch(store.read('a')), watch(store.read('b'))];
    driver.reads[0]?.fail();
    await settle();
    store.close();
    await settle();
    expect(pausing.outcome).toEqual(new BackendClosedError());
    driver.reads[1]?.fail();
    await clock.advance(0);
    expect(reading.outcome).toEqual(new BackendClosedError());
    expect(clock.timers).toBe(0);
  });
});

describe('a store with alwaysRetry', () => {
  const policy = { maxRetries: 2, intervalStart: 0, intervalStep: 1, intervalMax: 1 };

  function storer(alwaysRetry: AlwaysRetry): Storer {
    const bounds = { maxPending: 3, maxPendingBytes: 100 };
    return new Storer({ policy, alwaysRetry, commandTimeoutMs: 5_000, ...bounds }, clock, { warn: () => undefined });
  }

  /** A write that fails a number of times. */
  function failing(times: number, tries: number[]): () => Promise<StoreOutcome> {
    return () => {
      tries.push(clock.now());
      return tries.length > times ? Promise.resolve('stored') : Promise.reject(outage());
    };
  }

  it('goes on where the policy ends, with the next stores of its task behind it', async () => {
    const [first, second]: [number[], number[]] = [[], []];
    const one = storer(CELERYS);
    const stored = watch(one.store({ taskId: 't', state: 'STARTED', bytes: 1, write: failing(40, first) }));
    const next = watch(one.store({ taskId: 't', state: 'SUCCESS', bytes: 1, write: failing(0, second) }));
    await clock.advance(1_000);
    expect(first.slice(0, 3)).toEqual([0, 0, 1_000]);
    expect([stored.outcome, next.outcome, second]).toEqual(['pending', 'pending', []]);
    await clock.advance(400_000);
    expect([stored.outcome, next.outcome, first.length]).toEqual(['stored', 'stored', 41]);
    expect(second[0]).toBeGreaterThanOrEqual(first.at(-1) ?? Infinity);
  });

  it('goes on when the time of the policy is over before its retries are', async () => {
    const tries: number[] = [];
    const slow = (): Promise<StoreOutcome> =>
      new Promise((resolve, reject) => {
        tries.push(clock.now());
        clock.after(5_000, () => {
          if (tries.length > 4) resolve('stored');
          else reject(outage());
        });
      });
    const watched = watch(storer(CELERYS).store({ taskId: 't', state: 'SUCCESS', bytes: 1, write: slow }));
    await clock.advance(60_000);
    expect(watched.outcome).toBe('stored');
    expect(tries).toHaveLength(5);
  });

  it('is given up after as many retries more as it is allowed', async () => {
    const tries: number[] = [];
    const watched = watch(
      storer({ ...CELERYS, maxRetries: 3 }).store({
        taskId: 't',
        state: 'SUCCESS',
        bytes: 1,
        write: failing(Infinity, tries),
      }),
    );
    await clock.advance(100_000);
    expect(watched.outcome).toBeInstanceOf(BackendStoreError);
    expect((watched.outcome as Error).message).toContain('after 6 tries');
    expect(tries).toHaveLength(6);
  });

  it('ends with the limit of close', async () => {
    const one = storer(CELERYS);
    const watched = watch(one.store({ taskId: 't', state: 'SUCCESS', bytes: 1, write: failing(Infinity, []) }));
    await clock.advance(5_000);
    void one.close(1_000, () => Promise.resolve());
    await clock.advance(1_000);
    expect((watched.outcome as Error).cause).toBeInstanceOf(BackendClosedError);
    expect(clock.timers).toBe(0);
  });
});
