/** What one turn of the event loop does of much. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ResultCache } from '../../src/cache.ts';
import { type WaitEnd, WaitFailure, type WaitLimits } from '../../src/consumer/channel.ts';
import { Completions } from '../../src/consumer/completions.ts';
import { Consumer } from '../../src/consumer/consumer.ts';
import { Tally } from '../../src/consumer/tally.ts';
import { Warnings } from '../../src/diagnostics.ts';
import { createKeys } from '../../src/keys.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { A_PART, A_TURN, nextTurn } from '../../src/turns.ts';
import { type Asked, ScriptedDriver } from '../support/scripted-driver.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const COUNT = 640;
const DONE: TaskMeta = { status: 'SUCCESS', result: null };
const keys = createKeys('');
const ids = Array.from({ length: COUNT }, (_, i) => `t${i}`);
/** How many are done after each turn. */
const TURNS = Array.from({ length: COUNT / A_TURN }, (_, turn) => (turn + 1) * A_TURN);
const LAST = `t${COUNT - 1}`;

let driver: ScriptedDriver;
let clock: VirtualClock;
let consumer: Consumer;
let ends: WaitEnd[];

function wait(taskId: string, limits: WaitLimits = {}): void {
  void consumer.wait(taskId, limits).then((end) => ends.push(end));
}

const sizes = (asked: readonly Asked<unknown>[]): number[] => asked.map((each) => each.keys.length);
const sum = (asked: readonly Asked<unknown>[]): number => sizes(asked).reduce((all, size) => all + size, 0);
const keysOf = (asked: readonly Asked<unknown>[]): string[] => asked.flatMap((each) => [...each.keys]);

/** Answers all that is asked from a place on, until nothing more is: no refusal, no key. */
async function answerAll(subscribes = 0, reads = 0): Promise<void> {
  let [subscribed, read, idle] = [subscribes, reads, 0];
  while (idle < 5) {
    idle += 1;
    for (; subscribed < driver.subscribes.length; subscribed += 1, idle = 0) {
      driver.subscribes[subscribed]?.answer(driver.subscribes[subscribed]?.keys.map(() => null) ?? []);
    }
    for (; read < driver.reads.length; read += 1, idle = 0) {
      driver.reads[read]?.answer(driver.reads[read]?.keys.map(() => null) ?? []);
    }
    await nextTurn();
  }
}

/** A first wait that is over, so that the link is known to work. */
async function confirmed(): Promise<void> {
  wait('first');
  await answerAll();
  message('first');
  await answerAll();
}

/** So many waits whose channels are live. */
async function live(limits: WaitLimits = {}): Promise<void> {
  for (const id of ids) wait(id, limits);
  await answerAll();
}

/** Values of `measure` now and after each turn, as often as they change. */
async function turns(measure: () => number): Promise<number[]> {
  const seen = [measure()];
  for (let same = 0; same < 5; same += 1) {
    await nextTurn();
    if (measure() === seen.at(-1)) continue;
    seen.push(measure());
    same = 0;
  }
  return seen;
}

const message = (taskId: string): void => {
  driver.listener.onMessage(keys.task(taskId), Buffer.from('x'));
};

beforeEach(() => {
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  ends = [];
  consumer = new Consumer({
    store: driver,
    source: driver,
    keys,
    cache: new ResultCache({ maxEntries: -1, maxBytes: 1, expires: null }, clock),
    clock,
    warnings: new Warnings(),
    decode: () => DONE,
    backstopMs: 0,
    lastLookMs: 250,
    holdForMs: 60_000,
    maxHeld: 3,
    maxHeldBytes: 500,
  });
});

afterEach(async () => {
  await consumer.close();
  expect([consumer.waits, consumer.channels, clock.timers]).toEqual([0, 0, 0]);
});

describe('of many waits, one turn', () => {
  it('sends 256 SUBSCRIBEs', async () => {
    await confirmed();
    for (const id of ids) wait(id);
    await Promise.resolve();
    expect(await turns(() => sum(driver.subscribes) - 1)).toEqual([256, 512, COUNT]);
    expect(keysOf(driver.subscribes).slice(1)).toEqual(ids.map((id) => keys.task(id)));
  });

  it('sends 256 UNSUBSCRIBEs, once those who were woken have had their turn', async () => {
    await live();
    for (const id of ids) message(id);
    expect(await turns(() => sum(driver.unsubscribes))).toEqual([0, 256, 512, COUNT]);
  });

  it('tells 64 of a deadline that is the same for all, and reads their keys together', async () => {
    await live({ timeoutMs: 1000 });
    const reads = driver.reads.length;
    await clock.advance(1000);
    await turns(() => driver.reads.length);
    expect(sizes(driver.reads.slice(reads))).toEqual(Array.from({ length: COUNT / A_TURN }, () => A_TURN));
    await answerAll(driver.subscribes.length, reads);
    expect(ends.every((end) => end instanceof WaitFailure && end.outcome === 'timeout')).toBe(true);
  });

  it('ends 64 by the budgets of reads that are not answered', async () => {
    await live({ timeoutMs: 1000 });
    await clock.advance(1000);
    const seen: number[] = [];
    const ticking = clock.advance(250).then(() => 'over');
    while ((await Promise.race([ticking, nextTurn()])) !== 'over') seen.push(consumer.waits);
    expect(seen).toContain(COUNT - A_TURN);
    expect((await turns(() => consumer.waits)).at(-1)).toBe(0);
  });

  it('ends 64 by one signal; the others are shown nothing more, and end by it too', async () => {
    const controller = new AbortController();
    const shown: TaskMeta[] = [];
    await live({ signal: controller.signal, onMessage: (meta) => shown.push(meta) });
    controller.abort('enough');
    message(LAST);
    expect(await turns(() => consumer.waits)).toEqual(TURNS.map((done) => COUNT - done));
    expect(ends.map((end) => end instanceof WaitFailure && end.error())).toEqual(ids.map(() => 'enough'));
    expect(shown).toEqual([]);
  });

  it('ends 64 at close, which is over when all have ended', async () => {
    await live();
    const closed = consumer.close();
    expect(consumer.waits).toBe(COUNT - A_TURN);
    await closed;
    expect([consumer.waits, driver.unsubscribes]).toEqual([0, []]);
  });
});

describe('UNSUBSCRIBEs', () => {
  it('give way while waits are being woken in each turn', async () => {
    await live();
    for (const id of ids.slice(0, 10)) {
      message(id);
      await nextTurn();
    }
    expect(driver.unsubscribes).toEqual([]);
    await nextTurn();
    expect(sizes(driver.unsubscribes)).toEqual([10]);
  });

  it('do not where there are more than 10,000 of them', async () => {
    const many = Array.from({ length: 10_256 }, (_, i) => `m${i}`);
    for (const id of many) wait(id);
    await answerAll();
    const sent: number[] = [];
    for (let from = 0; from < many.length; from += 5000) {
      for (const id of many.slice(from, from + 5000)) message(id);
      await nextTurn();
      sent.push(sum(driver.unsubscribes));
    }
    expect(sent).toEqual([0, 0, 256]);
    await nextTurn();
    expect(sum(driver.unsubscribes)).toBe(512);
    await turns(() => sum(driver.unsubscribes));
    expect(sum(driver.unsubscribes)).toBe(many.length);
  });
});

describe('a channel that is still to be unsubscribed from', () => {
  it('keeps no result', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await live();
    const deliver = (): WeakRef<Buffer> => {
      const payload = Buffer.alloc(1000);
      driver.listener.onMessage(keys.task(LAST), payload);
      return new WeakRef(payload);
    };
    const payload = deliver();
    await nextTurn();
    collect();
    expect([consumer.channels, payload.deref()]).toEqual([COUNT, undefined]);
  });
});

describe('a task that is awaited again before its UNSUBSCRIBE has left', () => {
  it('is subscribed to, and not unsubscribed from', async () => {
    await live();
    for (const id of ids) message(id);
    await nextTurn();
    expect(sum(driver.unsubscribes)).toBeLessThan(COUNT);
    const before = driver.subscribes.length;
    wait(LAST);
    await turns(() => sum(driver.unsubscribes));
    expect(keysOf(driver.subscribes.slice(before))).toEqual([keys.task(LAST)]);
    expect(keysOf(driver.unsubscribes)).toEqual(ids.slice(0, -1).map((id) => keys.task(id)));
  });

  it('is so too where the link was made anew in between, and its channel with it', async () => {
    await live();
    const [, early = '', ...others] = ids;
    // The first of those that the new link drops, the last of those to be unsubscribed from.
    for (const id of [...others, early]) message(id);
    await nextTurn();
    driver.listener.onReconnect();
    expect(consumer.channels).toBeLessThan(COUNT);
    const before = driver.subscribes.length;
    wait(early);
    await turns(() => sum(driver.unsubscribes));
    expect(keysOf(driver.subscribes.slice(before))).toContain(keys.task(early));
    expect(keysOf(driver.unsubscribes).sort()).toEqual(others.map((id) => keys.task(id)).sort());
  });
});

describe('a link that is made anew', () => {
  it('has each channel subscribed to and read once more, 256 a turn', async () => {
    await live();
    const [before, reads] = [driver.subscribes.length, driver.reads.length];
    driver.listener.onReconnect();
    await Promise.resolve();
    const seen = await turns(() => sum(driver.subscribes.slice(before)));
    expect(seen.at(-1)).toBe(COUNT);
    seen.slice(1).forEach((subscribed, i) => {
      expect(subscribed - (seen[i] ?? 0)).toBeLessThanOrEqual(256);
    });
    await answerAll(before, reads);
    expect(keysOf(driver.subscribes.slice(before)).sort()).toEqual(ids.map((id) => keys.task(id)).sort());
    expect(keysOf(driver.reads.slice(reads)).sort()).toEqual(ids.map((id) => keys.task(id)).sort());
  });

  it('has those begun anew that failed before its turn came, and none twice', async () => {
    await confirmed();
    for (const id of ids) wait(id);
    await turns(() => sum(driver.subscribes));
    for (const asked of driver.subscribes.slice(1)) asked.fail();
    await nextTurn();
    const before = driver.subscribes.length;
    driver.listener.onReconnect();
    await turns(() => sum(driver.subscribes));
    expect(keysOf(driver.subscribes.slice(before)).sort()).toEqual(ids.map((id) => keys.task(id)).sort());
  });

  it('is not subscribed to while it is down but for the tries, which go on for all of them', async () => {
    await confirmed();
    for (const id of ids) wait(id);
    await turns(() => sum(driver.subscribes));
    for (const asked of driver.subscribes.slice(1)) asked.fail();
    await nextTurn();
    const before = driver.subscribes.length;
    await clock.advance(100);
    expect(await turns(() => sum(driver.subscribes.slice(before)))).toContain(COUNT);
  });
});

describe('a run over many tasks', () => {
  it('reads 256 a turn and waits for 64 a turn', async () => {
    const asked: string[][] = [];
    const waits: string[] = [];
    const run = new Completions(
      {
        clock,
        lastLookMs: 250,
        usable: () => true,
        readMany: (taskIds) => {
          asked.push([...taskIds]);
          return Promise.resolve(new Map());
        },
        wait: (taskId) => {
          waits.push(taskId);
          return Promise.resolve(DONE);
        },
        tally: new Tally(),
      },
      ids,
      { timeoutMs: undefined, observerOf: () => undefined },
    );
    const told: string[] = [];
    const reading = (async () => {
      for await (const [taskId] of run.run()) told.push(taskId);
    })();
    expect(await turns(() => asked.flat().length + waits.length)).toEqual([
      A_PART,
      2 * A_PART,
      ...TURNS.map((begun) => COUNT + begun),
    ]);
    await reading;
    expect([asked.map(({ length }) => length), waits, told]).toEqual([[A_PART, A_PART, COUNT - 2 * A_PART], ids, ids]);
  });
});
