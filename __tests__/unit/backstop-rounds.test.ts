import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Backstop } from '../../src/consumer/backstop.ts';
import { Channel, Waiter } from '../../src/consumer/channel.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const INTERVAL = 30_000;

let driver: ScriptedDriver;
let clock: VirtualClock;
let channels: Map<string, Channel>;
let found: string[];

function backstop(intervalMs: number = INTERVAL): Backstop {
  return new Backstop(driver, clock, intervalMs, channels, (channel, payload) => {
    found.push(`${channel.taskId}:${Buffer.from(payload).toString()}`);
  });
}

function add(taskId: string, state: Channel['state'] = 'live'): Channel {
  const channel = new Channel(taskId, `key-${taskId}`);
  channel.state = state;
  channels.set(channel.key, channel);
  return channel;
}

/** Answers the last read: no key is there. */
async function nothing(): Promise<void> {
  const asked = driver.reads.at(-1);
  asked?.answer(asked.keys.map(() => null));
  await settle();
}

beforeEach(() => {
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  channels = new Map();
  found = [];
  jest.spyOn(Math, 'random').mockReturnValue(0);
});

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the rest between rounds', () => {
  it('does not begin while there is no channel', () => {
    backstop().wake();
    expect(clock.timers).toBe(0);
  });

  it('does not begin with an interval of 0', () => {
    add('a');
    backstop(0).wake();
    expect(clock.timers).toBe(0);
  });

  it('begins once, however often it is woken', () => {
    add('a');
    const each = backstop();
    each.wake();
    each.wake();
    expect(clock.timers).toBe(1);
  });

  it.each([
    [0, INTERVAL],
    [0.5, INTERVAL * 1.125],
  ])('lasts an interval and up to a quarter more: at random %d, %d ms', async (random, ms) => {
    jest.spyOn(Math, 'random').mockReturnValue(random);
    add('a');
    backstop().wake();
    await clock.advance(ms - 1);
    expect(driver.log).toEqual([]);
    await clock.advance(1);
    expect(driver.log).toEqual(['GET key-a']);
  });

  it('is not begun anew during a round', async () => {
    add('a');
    const each = backstop();
    each.wake();
    await clock.advance(INTERVAL);
    each.wake();
    expect(clock.timers).toBe(0);
    await nothing();
    expect(clock.timers).toBe(1);
  });
});

describe('a round', () => {
  it('reads the keys of live channels, and hands on what is there', async () => {
    add('a');
    add('b', 'reading');
    add('c');
    backstop().wake();
    await clock.advance(INTERVAL);
    expect(driver.reads[0]?.keys).toEqual(['key-a', 'key-c']);
    driver.reads[0]?.answer([null, Buffer.from('x')]);
    await settle();
    expect(found).toEqual(['c:x']);
  });

  it('reads the key of a channel that is not confirmed, if anyone waits on it', async () => {
    add('held', 'subscribing');
    const awaited = add('awaited', 'subscribing');
    awaited.waiters.add(new Waiter(awaited, {}, () => undefined));
    backstop().wake();
    await clock.advance(INTERVAL);
    expect(driver.log).toEqual(['GET key-awaited']);
  });

  it('leaves out a channel whose read is under way, though it is waited on', async () => {
    const reading = add('reading', 'reading');
    reading.waiters.add(new Waiter(reading, {}, () => undefined));
    backstop().wake();
    await clock.advance(INTERVAL);
    expect(driver.log).toEqual([]);
  });

  it.each([
    [9_999, 0],
    [10_000, 100],
  ])('passes 10,000 channels a turn: one that is due behind %d others is read after %d ms', async (others, ms) => {
    for (let i = 0; i < others; i += 1) add(String(i), 'held');
    add('due');
    backstop().wake();
    await clock.advance(INTERVAL);
    expect(driver.log).toEqual(ms === 0 ? ['GET key-due'] : []);
    await clock.advance(ms);
    expect(driver.log).toEqual(['GET key-due']);
  });

  it('sends nothing when no channel is live, and comes again', async () => {
    const channel = add('a', 'held');
    backstop().wake();
    await clock.advance(INTERVAL);
    expect([driver.log, clock.timers]).toEqual([[], 1]);
    channel.state = 'live';
    await clock.advance(INTERVAL);
    expect(driver.log).toEqual(['GET key-a']);
  });

  it('leaves out a key that was read within the interval, and reads one that was read an interval ago', async () => {
    add('recent').readAt = 1;
    add('due').readAt = 0;
    backstop().wake();
    await clock.advance(INTERVAL);
    expect(driver.reads[0]?.keys).toEqual(['key-due']);
  });

  it('notes when it reads a key, so that what came over the channel before counts as older', async () => {
    const channel = add('a');
    channel.overtaken = true;
    backstop().wake();
    await clock.advance(INTERVAL);
    expect([channel.readAt, channel.overtaken]).toEqual([INTERVAL, false]);
  });

  it('goes on after a read that fails', async () => {
    add('a');
    backstop().wake();
    await clock.advance(INTERVAL);
    driver.reads[0]?.fail();
    await settle();
    await clock.advance(INTERVAL);
    expect(driver.log).toEqual(['GET key-a', 'GET key-a']);
    expect(found).toEqual([]);
  });

  it('reads 100 keys at a time, with 100 ms in between', async () => {
    for (let i = 0; i < 250; i += 1) add(String(i));
    backstop().wake();
    await clock.advance(INTERVAL);
    await nothing();
    await clock.advance(99);
    expect(driver.reads).toHaveLength(1);
    await clock.advance(1);
    await nothing();
    await clock.advance(100);
    await nothing();
    expect(driver.reads.map(({ keys }) => keys.length)).toEqual([100, 100, 50]);
    expect(new Set(driver.reads.flatMap(({ keys }) => keys)).size).toBe(250);
    await clock.advance(INTERVAL - 201);
    expect(driver.reads).toHaveLength(3);
  });

  it('is over when it is closed during a read', async () => {
    add('a');
    const each = backstop();
    each.wake();
    await clock.advance(INTERVAL);
    each.close();
    await nothing();
    expect(clock.timers).toBe(0);
  });

  it('is over when it is closed between two reads', async () => {
    for (let i = 0; i < 101; i += 1) add(String(i));
    const each = backstop();
    each.wake();
    await clock.advance(INTERVAL);
    await nothing();
    each.close();
    await clock.advance(INTERVAL);
    expect([driver.reads.length, clock.timers]).toEqual([1, 0]);
  });
});
