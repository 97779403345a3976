/** Whatever the order of {a link lost, a link ready, a batch failed}: with the links up nothing waits for a long pause. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ResultCache } from '../../src/cache.ts';
import { Channel, type WaitEnd } from '../../src/consumer/channel.ts';
import { Consumer } from '../../src/consumer/consumer.ts';
import { Verifier } from '../../src/consumer/verifier.ts';
import { createKeys } from '../../src/keys.ts';
import { RecordedWarnings } from '../support/driver.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const READY = Buffer.from('SUCCESS');

let driver: ScriptedDriver;
let clock: VirtualClock;
let consumer: Consumer;
let ended: string[];

beforeEach(() => {
  jest.spyOn(Math, 'random').mockReturnValue(1);
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  ended = [];
  consumer = new Consumer({
    store: driver,
    source: driver,
    keys: createKeys(''),
    cache: new ResultCache({ maxEntries: 100, maxBytes: 1e6, expires: null }, clock),
    clock,
    warnings: new RecordedWarnings(),
    decode: (payload) => ({ status: Buffer.from(payload).toString(), result: null }),
    backstopMs: 0,
    lastLookMs: 250,
    holdForMs: 60_000,
    maxHeld: 3,
    maxHeldBytes: 500,
  });
});

afterEach(async () => {
  jest.restoreAllMocks();
  await consumer.close();
});

async function wait(taskId = 't'): Promise<void> {
  void consumer.wait(taskId, {}).then((end: WaitEnd) => ended.push('status' in end ? taskId : 'failed'));
  await settle();
}

async function confirm(): Promise<void> {
  const last = driver.subscribes.at(-1);
  last?.answer(last.keys.map(() => null));
  await settle();
}

async function find(): Promise<void> {
  const last = driver.reads.at(-1);
  last?.answer(last.keys.map(() => READY));
  await settle();
}

async function fail(asked?: { readonly fail: () => void }): Promise<void> {
  asked?.fail();
  await settle();
}

async function tell(event: 'onReady' | 'onReconnect'): Promise<void> {
  driver.listener[event]();
  await settle();
}

/** A link that is lost refuses each SUBSCRIBE at once, until the pause is the longest. */
async function longOutage(): Promise<void> {
  for (let tries = 0; tries < 8; tries += 1) {
    await fail(driver.subscribes.at(-1));
    await clock.advance(5_000);
  }
}

describe('before a connection came up for the first time', () => {
  it('what fails is tried again at once when it comes up', async () => {
    await wait();
    await longOutage();
    const before = driver.subscribes.length;
    await fail(driver.subscribes.at(-1));
    await tell('onReady');
    expect(driver.subscribes).toHaveLength(before + 1);
  });

  it('a SUBSCRIBE that began, and fails after it, is tried again at once', async () => {
    await wait();
    await longOutage();
    const before = driver.subscribes.length;
    await tell('onReady');
    await fail(driver.subscribes.at(-1));
    expect(driver.subscribes).toHaveLength(before + 1);
  });

  it('a read that began, and fails after it, is tried again at once', async () => {
    await wait();
    await confirm();
    await tell('onReady');
    await fail(driver.reads[0]);
    await find();
    expect([driver.reads.length, ended]).toEqual([2, ['t']]);
  });

  it('a batch of which one key fails after it keeps no other', async () => {
    await wait('a');
    await confirm();
    await wait('b');
    await confirm();
    await tell('onReady');
    await fail(driver.reads[0]);
    await find();
    expect(ended).toEqual(['a']);
    driver.reads[1]?.answer([READY]);
    await settle();
    expect(ended).toEqual(['a', 'b']);
  });
});

describe('when a connection was made anew', () => {
  it.each([
    ['before it', ['fail', 'ready']],
    ['after it', ['ready', 'fail']],
  ])('a SUBSCRIBE that failed %s is sent again once, at once', async (_, order) => {
    await wait();
    await longOutage();
    const before = driver.subscribes.length;
    const old = driver.subscribes.at(-1);
    for (const step of order) await (step === 'fail' ? fail(old) : tell('onReconnect'));
    expect(driver.subscribes).toHaveLength(before + 1);
    await confirm();
    await find();
    expect([ended, clock.timers]).toEqual([['t'], 0]);
  });

  it.each([
    ['before it', ['fail', 'ready']],
    ['after it', ['ready', 'fail']],
    ['between the two of them', ['ready', 'fail', 'ready']],
  ])('a read that failed %s is made again after the next confirmation', async (_, order) => {
    await wait();
    await confirm();
    for (const step of order) await (step === 'fail' ? fail(driver.reads[0]) : tell('onReconnect'));
    await confirm();
    await find();
    expect([ended, clock.timers]).toEqual([['t'], 0]);
  });

  it('what then fails with the link up is tried again within 100 ms, however long the outage was', async () => {
    await wait();
    await longOutage();
    await fail(driver.subscribes.at(-1));
    await tell('onReconnect');
    await confirm();
    await fail(driver.reads.at(-1));
    const before = driver.reads.length;
    await clock.advance(100);
    expect(driver.reads).toHaveLength(before + 1);
  });

  it('what joined before it and fails after it is tried again at once', async () => {
    await wait('old');
    await longOutage();
    await tell('onReconnect');
    const before = driver.subscribes.length;
    await wait('new');
    await tell('onReady');
    await fail(driver.subscribes.at(-1));
    expect(driver.subscribes.slice(before + 1).map(({ keys }) => keys)).toEqual([[createKeys('').task('new')]]);
  });
});

describe('tries at once', () => {
  it('are one for each time that a connection comes up; then come the pauses', async () => {
    await wait();
    await tell('onReady');
    await fail(driver.subscribes[0]);
    await fail(driver.subscribes[1]);
    expect(driver.subscribes).toHaveLength(2);
    await clock.advance(99);
    expect(driver.subscribes).toHaveLength(2);
    await clock.advance(1);
    expect(driver.subscribes).toHaveLength(3);
  });
});

describe('reads that are not answered', () => {
  it('keep no other wait from its subscription', async () => {
    for (let i = 0; i < 20; i += 1) {
      await wait(`t${i}`);
      driver.subscribes[i]?.answer([null]);
      await settle();
    }
    expect([driver.subscribes.length, driver.reads.length]).toEqual([20, 20]);
  });

  it('keep none of the same batch from being told', async () => {
    const told: string[] = [];
    const store = new ScriptedDriver();
    store.read = (key) => (key === 'silent' ? new Promise(() => undefined) : Promise.resolve(READY));
    const verifier = new Verifier(store, driver, clock, {
      isWanted: () => true,
      onRefused: () => undefined,
      onRead: ({ key }) => told.push(key),
      onFailed: () => undefined,
      onUnsubscribed: () => undefined,
    });
    for (const key of ['silent', 'a', 'b']) verifier.verify(new Channel(key, key));
    await settle();
    await confirm();
    expect(told).toEqual(['a', 'b']);
    verifier.close();
  });
});
