import { execFileSync } from 'node:child_process';
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DiagnosticEvents } from '../../src/diagnostics.ts';
import { BackendClosedError, BackendError, BackendStoreError } from '../../src/errors.ts';
import type { StoreOutcome } from '../../src/ports.ts';
import type { RetryPolicy } from '../../src/retry.ts';
import { Storer } from '../../src/storer.ts';
import { RecordedWarnings } from '../support/driver.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const CELERYS: RetryPolicy = { maxRetries: 20, intervalStart: 0, intervalStep: 1, intervalMax: 1 };

let clock: VirtualClock;
let storer: Storer;
let warnings: RecordedWarnings;

beforeEach(() => {
  clock = new VirtualClock();
  warnings = new RecordedWarnings();
  storer = new Storer(
    { policy: CELERYS, alwaysRetry: false, commandTimeoutMs: 5_000, maxPending: 10, maxPendingBytes: 100 },
    clock,
    warnings,
  );
});

const shut = (): Promise<void> => Promise.resolve();

/** A write that fails a number of times and notes when it was tried. */
function write(failures: number, tries: number[] = [], error: () => Error = outage): () => Promise<StoreOutcome> {
  return () => {
    tries.push(clock.now());
    return tries.length > failures ? Promise.resolve('stored') : Promise.reject(error());
  };
}

function store(taskId: string, attempt: () => Promise<StoreOutcome>, bytes = 1): { outcome: unknown } {
  const watched: { outcome: unknown } = { outcome: 'pending' };
  storer.store({ taskId, state: 'SUCCESS', bytes, write: attempt }).then(
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
    await clock.advance(27_999);
    expect(watched.outcome).toBe('pending');
    await clock.advance(1);
    expect(watched.outcome).toBeInstanceOf(BackendStoreError);
    expect(tries).toEqual([0, 5_000, 11_000, 17_000, 23_000]);
  });

  it('is tried again for a second longer for each MiB, which a try may take longer too', async () => {
    const cutOnce = (): (() => Promise<StoreOutcome>) => {
      let isCut = false;
      return () =>
        new Promise((resolve, reject) => {
          clock.after(60_000, () => {
            if (isCut) resolve('stored');
            else reject(outage());
            isCut = true;
          });
        });
    };
    const small = store('small', cutOnce(), 0);
    const large = store('large', cutOnce(), 64 * 2 ** 20);
    await clock.advance(60_000);
    expect([small.outcome, large.outcome]).toEqual([expect.any(BackendStoreError), 'pending']);
    // What is large rests first, so that what broke with it goes before it.
    await clock.advance(500 + 59_999);
    expect(large.outcome).toBe('pending');
    await clock.advance(1);
    expect(large.outcome).toBe('stored');
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

describe('a store beyond what may be pending', () => {
  const overloaded = { name: 'BackendStoreError', code: 'CELERY_STORE_OVERLOADED', taskId: 'more', state: 'SUCCESS' };

  it('is rejected at once where there are too many, and is not tried', async () => {
    const others = Array.from({ length: 10 }, (_, i) => store(`t${i % 3}`, write(3)));
    const tries: number[] = [];
    const more = store('more', write(0, tries));
    await settle();
    expect(more.outcome).toMatchObject(overloaded);
    expect((more.outcome as Error).message).toBe(
      'Could not store SUCCESS of task more: 10 are pending, and maxPendingStores is 10. ' +
        'Wait for stores to end before you begin others.',
    );
    expect([tries, storer.pending]).toEqual([[], 10]);
    await clock.advance(60_000);
    expect(others.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 10 }, () => 'stored'));
    expect([storer.pending, storer.pendingBytes]).toEqual([0, 0]);
    const again = store('more', write(0));
    await settle();
    expect(again.outcome).toBe('stored');
  });

  it('is rejected where its bytes would be too many, while smaller ones and those without a payload are taken', async () => {
    store('a', write(3), 60);
    const [more, less, none] = [store('more', write(0), 41), store('b', write(3), 40), store('c', write(0), 0)];
    await settle();
    expect(storer.pendingBytes).toBe(100);
    expect(more.outcome).toMatchObject({ ...overloaded, message: expect.stringContaining('maxPendingBytes is 100') });
    expect([less.outcome, none.outcome]).toEqual(['pending', 'stored']);
    await clock.advance(10_000);
    expect(storer.pendingBytes).toBe(0);
  });

  it('is taken, whatever its bytes, when no other payload is pending', async () => {
    store('nothing', write(1), 0);
    const large = store('large', write(3), 1_000);
    const more = store('more', write(0), 1);
    await settle();
    expect([large.outcome, more.outcome]).toEqual(['pending', expect.objectContaining(overloaded)]);
    await clock.advance(10_000);
    expect(large.outcome).toBe('stored');
  });

  it('is taken, however many there are, when it has no payload and so ends something that was accepted', async () => {
    for (let i = 0; i < 10; i += 1) store(`t${i}`, write(3));
    const finish = store('more', write(0), 0);
    await settle();
    expect([finish.outcome, storer.pending]).toEqual(['stored', 10]);
    await clock.advance(60_000);
  });

  it('counts those that failed no more', async () => {
    const refusal = (): Error => new BackendError('ERR', { code: 'CELERY_BACKEND_REFUSED', reply: 'ERR' });
    for (let i = 0; i < 30; i += 1) {
      store(`t${i}`, write(1, [], refusal), 100);
      await settle();
    }
    expect([storer.pending, storer.pendingBytes]).toEqual([0, 0]);
  });
});

describe('closing', () => {
  it('waits for the stores under way', async () => {
    const watched = store('t', write(3));
    let closed = false;
    void storer.close(10_000, shut).then(() => (closed = true));
    await settle();
    expect(closed).toBe(false);
    await clock.advance(3_000);
    expect([closed, watched.outcome]).toEqual([true, 'stored']);
    expect(clock.timers).toBe(0);
  });

  it('ends at its limit; those that were not stored reject, and one warning names the first', async () => {
    const watched = Array.from({ length: 7 }, (_, i) => store(`t${i}`, write(Infinity)));
    let closed = false;
    void storer.close(1_500, shut).then(() => (closed = true));
    await clock.advance(1_500);
    expect(closed).toBe(true);
    for (const { outcome } of watched) {
      expect(outcome).toBeInstanceOf(BackendStoreError);
      expect((outcome as Error).cause).toBeInstanceOf(BackendClosedError);
    }
    const names = [0, 1, 2, 3, 4].map((i) => `store SUCCESS of task t${i}`).join(', ');
    expect(warnings.given).toEqual([
      {
        code: 'CELERY_STORES_LOST',
        message: `The backend was closed before it could ${names}, and 2 more (7 in all).`,
      },
    ]);
    expect(clock.timers).toBe(0);
  });

  it('warns of nothing where all were stored', async () => {
    const watched = store('t', write(3));
    void storer.close(10_000, shut);
    await clock.advance(10_000);
    expect([watched.outcome, warnings.given]).toEqual(['stored', []]);
  });

  it('waits for what a closed driver makes of those on their way, and those behind them', async () => {
    let fail = (): void => undefined;
    const onTheWay = (): Promise<StoreOutcome> =>
      new Promise((_, reject) => {
        fail = () => {
          reject(new BackendClosedError());
        };
      });
    const [first, second] = [store('t', onTheWay), store('t', () => Promise.reject(new BackendClosedError()))];
    let closed = false;
    const shutting = (): Promise<void> => {
      fail();
      return Promise.resolve();
    };
    void storer.close(1_000, shutting).then(() => (closed = true));
    await clock.advance(999);
    expect([closed, first.outcome]).toEqual([false, 'pending']);
    await clock.advance(1);
    expect(closed).toBe(true);
    for (const { outcome } of [first, second]) {
      expect((outcome as Error).cause).toBeInstanceOf(BackendClosedError);
    }
    expect(warnings.given).toHaveLength(1);
  });
});

describe('the diagnostics channel of stores', () => {
  type StoreEvent = DiagnosticEvents['celery-redis-backend:store'];
  const CHANNEL = 'celery-redis-backend:store';
  const callers = new AsyncLocalStorage<string>();
  let events: (StoreEvent & { readonly caller: string | undefined })[];
  const note = (event: unknown): void => {
    events.push({ ...(event as StoreEvent), caller: callers.getStore() });
  };

  beforeEach(() => {
    events = [];
    subscribe(CHANNEL, note);
  });
  afterEach(() => {
    unsubscribe(CHANNEL, note);
  });

  it('has one event for each store that settles, in the context of its caller', async () => {
    const refusal = (): Error => new BackendError('ERR', { code: 'CELERY_BACKEND_REFUSED', reply: 'ERR' });
    callers.run('one', () => store('a', write(3), 7));
    callers.run('two', () => store('b', () => Promise.resolve('kept')));
    const failed = callers.run('three', () => store('c', write(1, [], refusal)));
    await clock.advance(10_000);
    expect(events).toEqual([
      { taskId: 'b', state: 'SUCCESS', bytes: 1, attempts: 1, duration: 0, outcome: 'kept', caller: 'two' },
      {
        ...{ taskId: 'c', state: 'SUCCESS', bytes: 1, attempts: 1, duration: 0, outcome: 'failed', caller: 'three' },
        error: failed.outcome,
      },
      { taskId: 'a', state: 'SUCCESS', bytes: 7, attempts: 4, duration: 2, outcome: 'stored', caller: 'one' },
    ]);
  });

  it('tells of a store that was not accepted as well', async () => {
    for (let i = 0; i <= 10; i += 1) store(`t${i}`, write(Infinity));
    await settle();
    expect(events).toMatchObject([{ taskId: 't10', outcome: 'failed', attempts: 0 }]);
    expect(events[0]?.error).toMatchObject({ code: 'CELERY_STORE_OVERLOADED' });
  });

  it('has none for what is no store, such as the part of a chord', async () => {
    await storer.run({ taskId: 't', state: 'SUCCESS', bytes: 1, write: () => Promise.resolve({ state: 'counting' }) });
    expect(events).toEqual([]);
  });

  it('may have a subscriber that throws, which no store notices', () => {
    // In a process of its own: Node tells the process of what a subscriber threw.
    const program = `
      import { subscribe } from 'node:diagnostics_channel';
      import { RedisBackend } from '${pathToFileURL(resolve('src/index.ts')).href}';
      subscribe('${CHANNEL}', () => { throw new Error('of the subscriber'); });
      process.on('uncaughtException', (error) => console.log('uncaught:', error.message));
      const backend = new RedisBackend({}, { url: 'memory://' });
      console.log(await backend.storeResult('t', 1, 'SUCCESS'));
      await backend.close();`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
    const said = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000 });
    expect(said.trim().split('\n').sort()).toEqual(['stored', 'uncaught: of the subscriber']);
  });

  it('costs no look at the clock without a subscriber', async () => {
    unsubscribe(CHANNEL, note);
    let looks = 0;
    const now = clock.now;
    clock.now = () => {
      looks += 1;
      return now();
    };
    store('t', () => Promise.resolve('stored'));
    await settle();
    // That of its acceptance.
    expect(looks).toBe(1);
  });
});
