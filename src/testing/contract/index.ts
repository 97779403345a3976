/** What every driver must do, whatever it is made of. */
import { ok } from 'node:assert/strict';
import { awaiting } from './awaiting.ts';
import { caching } from './caching.ts';
import { chords } from './chords.ts';
import { completing } from './completing.ts';
import { Context, type RawStore } from './context.ts';
import { grouping } from './grouping.ts';
import { holding } from './holding.ts';
import { reading } from './reading.ts';
import { sending } from './sending.ts';
import { storing } from './storing.ts';
import { waiting } from './waiting.ts';
import { working } from './working.ts';

/** The functions of a test runner: jest's, vitest's, mocha's, or `node:test`'s with its `after` as `afterAll`. */
export interface ContractRunner {
  describe(name: string, declare: () => void): unknown;
  /** The third is a limit in milliseconds, which a runner without one may ignore. */
  it(title: string, run: () => Promise<void>, limitMs?: number): unknown;
  afterAll(run: () => Promise<void>): unknown;
}

/** A driver, and what it cannot do. */
export interface ContractSubject {
  /** The title of its tests. */
  readonly name: string;
  /** Called once, at the first test; all tests share what it opens, each with ids of its own. */
  readonly open: () => Promise<RawStore>;
  /** Titles of tests that it cannot pass, each with the reason; a fifth of them at most. @default none */
  readonly exceptions?: Readonly<Record<string, string>> | undefined;
}

const PARTS = [storing, reading, waiting, caching, grouping, working, chords, completing, sending, holding, awaiting];
/** Groups of 10,000 take their time on a cluster, where each key is a command, and on a machine that is busy. */
const SLOWEST_MS = 300_000;

/** Declares the whole contract for one driver. A test fails by an AssertionError of `node:assert`. */
export function contract(runner: ContractRunner, { name, open, exceptions = {} }: ContractSubject): void {
  runner.describe(name, () => {
    let opening: Promise<Context> | undefined;
    const titles: string[] = [];

    runner.afterAll(async () => {
      await (await opening)?.raw.close();
    });

    for (const declare of PARTS) {
      declare((title, run) => {
        titles.push(title);
        if (Object.hasOwn(exceptions, title)) return;
        runner.it(title, () => runOn((opening ??= open().then((raw) => new Context(raw))), run), SLOWEST_MS);
      });
    }

    runner.it('has no exception without a test, and no more than a fifth', () =>
      Promise.resolve().then(() => {
        checkExceptions(Object.keys(exceptions), titles);
      }),
    );
  });
}

/** Runs a test, and closes what it opened, be it that it failed. */
async function runOn(opening: Promise<Context>, run: (context: Context) => Promise<void>): Promise<void> {
  const context = await opening;
  try {
    await run(context);
  } catch (error) {
    await context.abandon();
    throw error;
  }
  await context.closeBackends();
}

function checkExceptions(excepted: readonly string[], titles: readonly string[]): void {
  const unknown = excepted.filter((title) => !titles.includes(title));
  ok(unknown.length === 0, `exceptions without a test: ${unknown.join(', ')}`);
  ok(excepted.length * 5 <= titles.length, `${excepted.length} exceptions of ${titles.length} tests`);
}
