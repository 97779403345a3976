import { beforeEach, describe, expect, it } from '@jest/globals';
import { BackendClosedError, BackendError, BackendStoreError } from '../../src/errors.ts';
import type { StoreOutcome } from '../../src/ports.ts';
import type { RetryPolicy } from '../../src/retry.ts';
import { Storer } from '../../src/storer.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const CELERYS: RetryPolicy = { maxRetries: 20, intervalStart: 0, intervalStep: 1, intervalMax: 1 };

let clock: VirtualClock;
let storer: Storer;

beforeEach(() => {
  clock = new VirtualClock();
  storer = new Storer({ policy: CELERYS, alwaysRetry: false, commandTimeoutMs: 5_000 }, clock);
});

/** A write that fails a number of times and notes when it was tried. */
function write(failures: number, tries: number[] = [], error: () => Error = outage): () => Promise<StoreOutcome> {
  return () => {
    tries.push(clock.now());
    return tries.length > failures ? Promise.resolve('stored') : Promise.reject(error());
  };
}

function store(taskId: string, attempt: () => Promise<StoreOutcome>): { outcome: unknown } {
  const watched: { outcome: unknown } = { outcome: 'pending' };
  storer.store({ taskId, state: 'SUCCESS', write: attempt }).then(
    (outcome) => (watched.outcome = outcome),
    (error: unknown) => (watched.outcome = error),
  );
  return watched;
}

describe('a store', () => {
  it('is tried again after 0, 1, 1, 1 ... seconds', async () => {
    const tries: number[] = [];
    const watched = store('t', write(4, tries));
    await clock.advance(10_000);
    expect(watched.outcome).toBe('stored');
    expect(tries).toEqual([0, 0, 1_000, 2_000, 3_000]);
    expect(storer.retries).toBe(4);
  });

  it('is given up after 20 retries, about 19 seconds, with its task, state and cause', async () => {
    const tries: number[] = [];
    const watched = store('t', write(Infinity, tries));
    await clock.advance(18_999);
    expect(watched.outcome).toBe('pending');
    await clock.advance(1);
    expect(tries).toHaveLength(21);
    expect(watched.outcome).toBeInstanceOf(BackendStoreError);
    expect(watched.outcome).toMatchObject({ code: 'CELERY_BACKEND_STORE', taskId: 't', state: 'SUCCESS' });
    expect((watched.outcome as Error).cause).toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
  });

  it('is not begun again when the time of its retries and one more try is over', async () => {
    const tries: number[] = [];
    const slow = (): Promise<StoreOutcome> =>
      new Promise((_, reject) => {
        tries.push(clock.now());
        clock.after(5_000, () => {
          reject(outage());
        });
      });
    const watched = store('t', slow);
    await clock.advance(40_000);
    expect(watched.outcome).toBeInstanceOf(BackendStoreError);
    expect(Math.max(...tries)).toBeLessThanOrEqual(24_000);
  });

  it('is not tried again after an error that will not pass', async () => {
    const tries: number[] = [];
    const refusal = (): Error => new BackendError('WRONGTYPE', { code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGTYPE' });
    const watched = store('t', write(1, tries, refusal));
    await settle();
    expect(tries).toHaveLength(1);
    expect(watched.outcome).toBeInstanceOf(BackendStoreError);
  });

  it.each(['READONLY', 'LOADING', 'OOM', 'BUSY', 'CLUSTERDOWN', 'TRYAGAIN', 'MASTERDOWN', 'NOREPLICAS', 'MISCONF'])(
    'is tried again after %s',
    async (reply) => {
      const passing = (): Error => new BackendError(reply, { code: 'CELERY_BACKEND_REFUSED', reply });
      const watched = store('t', write(1, [], passing));
      await clock.advance(1_000);
      expect(watched.outcome).toBe('stored');
    },
  );

  it('waits for the stores of the same task before it, retries included, and for no other', async () => {
    const order: string[] = [];
    const noting = (name: string, attempt: () => Promise<StoreOutcome>) => async (): Promise<StoreOutcome> => {
      const outcome = await attempt();
      order.push(name);
      return outcome;
    };
    store('a', noting('a1', write(3)));
    store('a', noting('a2', write(0)));
    store('b', noting('b1', write(0)));
    await settle();
    expect(order).toEqual(['b1']);
    await clock.advance(5_000);
    expect(order).toEqual(['b1', 'a1', 'a2']);
    expect(storer.pending).toBe(0);
  });

  it('is tried once at least, however long those before it took', async () => {
    store('a', write(Infinity));
    const second = store('a', write(0));
    await clock.advance(30_000);
    expect(second.outcome).toBe('stored');
  });

  it('goes on after one before it failed', async () => {
    const refusal = (): Error => new BackendError('ERR', { code: 'CELERY_BACKEND_REFUSED', reply: 'ERR' });
    store('a', write(1, [], refusal));
    const second = store('a', write(0));
    await settle();
    expect(second.outcome).toBe('stored');
  });
});

describe('closing', () => {
  it('waits for the stores under way', async () => {
    const watched = store('t', write(3));
    let closed = false;
    void storer.close(10_000).then(() => (closed = true));
    await settle();
    expect(closed).toBe(false);
    await clock.advance(3_000);
    expect([closed, watched.outcome]).toEqual([true, 'stored']);
    expect(clock.timers).toBe(0);
  });

  it('ends at its limit, and says which were not stored', async () => {
    const watched = store('t', write(Infinity));
    let closed = false;
    void storer.close(1_500).then(() => (closed = true));
    await clock.advance(1_500);
    expect(closed).toBe(true);
    expect(watched.outcome).toBeInstanceOf(BackendStoreError);
    expect((watched.outcome as Error).cause).toBeInstanceOf(BackendClosedError);
    expect(clock.timers).toBe(0);
  });
});
