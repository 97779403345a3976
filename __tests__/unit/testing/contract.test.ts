/** The contract itself: what it finds, and how it is declared. */
import { AssertionError } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../src/clock.ts';
import { type Driver, type ResultStore, BaseBackend, type BackendOptions, resolveOptions } from '../../../src/index.ts';
import { createMemoryDriver } from '../../../src/memory/driver.ts';
import { matches } from '../../../src/testing/contract/assert.ts';
import { contract, type RawStore } from '../../../src/testing/index.ts';
import { outcome } from '../../support/contract/context.ts';

/** A driver of one's own: that of the memory, with a store that is wrong. */
class Own extends BaseBackend {
  constructor(app: object, options: BackendOptions, wrong: Partial<ResultStore>) {
    const resolved = resolveOptions(options, undefined);
    super(app, resolved, () => {
      const driver = createMemoryDriver(resolved.url ?? '', systemClock);
      const { store } = driver;
      const changed: ResultStore = {
        usable: true,
        read: (key) => store.read(key),
        readMany: (keys) => store.readMany(keys),
        write: (write) => store.write(write),
        remove: (key) => store.remove(key),
        ...wrong,
      };
      return new Proxy<Driver>(driver, {
        get: (target, name) => {
          const value: unknown = name === 'store' ? changed : Reflect.get(target, name, target);
          return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
        },
      });
    });
  }
}

/** A runner that keeps what is declared. */
function declared(
  wrong: Partial<ResultStore>,
  exceptions: Record<string, string> = {},
): Map<string, () => Promise<void>> {
  const url = `memory://${randomUUID()}`;
  const unused = (): never => {
    throw new Error('not here');
  };
  const raw: RawStore = {
    options: { url },
    backend: (app, options) => new Own(app, options, wrong),
    ...{ get: unused, set: unused, del: unused, members: unused, ttl: unused, publish: unused, listen: unused },
    close: () => Promise.resolve(),
  };
  const tests = new Map<string, () => Promise<void>>();
  const runner = {
    describe: (_: string, declare: () => void): void => {
      declare();
    },
    it: (title: string, run: () => Promise<void>): void => {
      tests.set(title, run);
    },
    afterAll: (): void => undefined,
  };
  contract(runner, { name: 'own', open: () => Promise.resolve(raw), exceptions });
  return tests;
}

const run = (tests: Map<string, () => Promise<void>>, title: string): Promise<unknown> =>
  outcome(tests.get(title)?.() ?? Promise.reject(new Error(`no test ${title}`)));

describe('the contract', () => {
  const STORED = 'a wait for a stored result resolves with it';
  const KEPT = 'in 2,000 races of a SUCCESS and a FAILURE the SUCCESS stands';

  it("passes a driver of one's own that keeps it, and fails one that does not", async () => {
    expect(await run(declared({}), STORED)).toBeUndefined();
    expect(await run(declared({ write: () => Promise.resolve('stored') }), 'a forgotten result is gone')).toBeInstanceOf(AssertionError); // prettier-ignore
    const lost = await run(
      declared({ read: () => Promise.resolve(null) }),
      'timeout 0 reads once, without a subscription',
    );
    expect(lost).toMatchObject({ code: 'CELERY_TIMEOUT' });
  });

  it('declares no test that is excepted, and fails for an exception without a test', async () => {
    const tests = declared({}, { [KEPT]: 'too slow', 'no such test': 'a mistake' });
    expect(tests.has(KEPT)).toBe(false);
    expect(tests.has(STORED)).toBe(true);
    const last = 'has no exception without a test, and no more than a fifth';
    expect(await run(tests, last)).toMatchObject({ message: expect.stringContaining('no such test') });
    expect(await run(declared({}, { [KEPT]: 'too slow' }), last)).toBeUndefined();
    const all = Object.fromEntries([...declared({}).keys()].slice(0, -1).map((title) => [title, 'never']));
    expect(await run(declared({}, all), last)).toBeInstanceOf(AssertionError);
  });
});

describe('a match', () => {
  it.each([
    [{ a: 1, b: 2 }, { a: 1 }],
    [{ a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }],
    [new RangeError('far'), { message: 'far', name: 'RangeError' }],
    [null, null],
    [[], []],
    [{ a: new Date(0) }, { a: new Date(0) }],
  ])('of %p has %p', (actual, expected) => {
    expect(() => {
      matches(actual, expected);
    }).not.toThrow();
  });

  it.each([
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: '1' }, { a: 1 }],
    [{ a: [1, 2] }, { a: [1] }],
    [{ a: { 0: 1, length: 1 } }, { a: [1] }],
    [{ a: [] }, { a: {} }],
    [null, { a: 1 }],
    [undefined, {}],
    [{ a: new Date(0) }, { a: new Date(1) }],
  ])('of %p has not %p', (actual, expected) => {
    expect(() => {
      matches(actual, expected);
    }).toThrow(AssertionError);
  });
});
