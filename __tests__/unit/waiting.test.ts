import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { BackendClosedError, RemoteError, TimeoutError } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { Reader } from '../../src/reader.ts';
import { Results } from '../support/results.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const never = (): Promise<never> => new Promise(() => undefined);

describe('a wait for a known result whose observer takes its time', () => {
  async function known(clock: VirtualClock): Promise<Results> {
    const results = new Results({ clock, maxCachedResults: 10 });
    await results.succeed('t');
    await results.backend.waitFor('t');
    expect(results.backend.isCached('t')).toBe(true);
    return results;
  }

  it('ends with it once the observer is done', async () => {
    const clock = new VirtualClock();
    await using results = await known(clock);
    const onMessage = (): Promise<void> => new Promise((resolve) => clock.after(100, resolve));
    const before = clock.timers;
    const value = results.backend.waitFor('t', { onMessage, timeout: 1 });
    await settle();
    expect(results.backend.stats().waits).toBe(1);
    await clock.advance(100);
    expect(await value).toBe('t');
    expect(clock.timers).toBe(before);
  });

  it('ends with it at the deadline, whatever the observer still does', async () => {
    const clock = new VirtualClock();
    await using results = await known(clock);
    const values = [1, 0].map((timeout) => results.backend.waitFor('t', { onMessage: never, timeout }));
    await clock.advance(1000);
    expect(await Promise.all(values)).toEqual(['t', 't']);
  });

  it('ends with the reason of its signal, also when the observer itself aborts', async () => {
    await using results = await known(new VirtualClock());
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = outcome(results.backend.waitFor('t', { onMessage: never, signal }));
    const onMessage = (): void => {
      controller.abort('enough');
    };
    expect(await outcome(results.backend.waitFor('t', { onMessage, signal }))).toBe('enough');
    expect(await aborted).toBe('enough');
  });

  it('ends with BackendClosedError when the backend closes, also when the observer itself closes it', async () => {
    await using results = await known(new VirtualClock());
    const waits = [outcome(results.backend.waitFor('t', { onMessage: never }))];
    const onMessage = (): unknown => results.backend.close();
    waits.push(outcome(results.backend.waitFor('t', { onMessage })));
    expect(await Promise.all(waits)).toEqual([expect.any(BackendClosedError), expect.any(BackendClosedError)]);
  });

  it('has the same limits when its one read found it, or did not', async () => {
    const clock = new VirtualClock();
    await using results = new Results({ clock });
    await results.succeed('t');
    const value = results.backend.waitFor('t', { onMessage: never, timeout: 0 });
    const late = outcome(results.backend.waitFor('x', { onMessage: never, timeout: 0 }));
    await clock.advance(1);
    expect([await value, await late]).toEqual(['t', expect.any(TimeoutError)]);
  });
});

describe('the error of a failed task', () => {
  it('is its own for each waiter, and its stack names the caller, however it was found', async () => {
    await using results = new Results();
    const waits = [60, undefined].map((timeout) =>
      outcome(
        (async function caller() {
          await results.backend.waitFor('t', { timeout });
        })(),
      ),
    );
    await results.waiting(1);
    await results.fail('t', 'boom');
    const found = (await Promise.all(waits)) as Error[];
    found.push(
      (await outcome(
        (async function caller() {
          await results.backend.waitFor('t', { timeout: 0 });
        })(),
      )) as Error,
    );
    expect(new Set(found).size).toBe(3);
    for (const error of found) {
      expect(error).toBeInstanceOf(RemoteError);
      expect(error.stack).toContain('caller');
    }
  });
});

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a wait that is still its first read when the backend closes', () => {
  it('was counted, and ends at once with BackendClosedError, be it for one task or for many', async () => {
    await using results = new Results();
    jest.spyOn(Reader.prototype, 'readStored').mockImplementation(never);
    jest.spyOn(Reader.prototype, 'readMany').mockImplementation(never);
    const { backend } = results;
    const waits = [
      outcome(backend.waitFor('a', { timeout: 0 })),
      outcome(backend.asCompleted(['b', 'c']).next()),
      outcome(backend.asCompleted(['d'], { timeout: 0 }).next()),
    ];
    expect(backend.stats().waits).toBe(4);
    const closed = backend.close();
    expect(backend.stats().waits).toBe(0);
    expect(await Promise.all(waits)).toEqual(waits.map(() => expect.any(BackendClosedError)));
    await closed;
  });
});
