import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ResultCache } from '../../src/cache.ts';
import { type WaitEnd, WaitFailure, type WaitLimits } from '../../src/consumer/channel.ts';
import { Consumer } from '../../src/consumer/consumer.ts';
import { type WarningCode, Warnings } from '../../src/diagnostics.ts';
import { BackendClosedError, BackendError, DecodeError } from '../../src/errors.ts';
import { createKeys } from '../../src/keys.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { refused } from '../../src/redis/errors.ts';
import { A_PART } from '../../src/turns.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const KEY = createKeys('').task('t');

/** A cache that cannot take anything in. */
class BrokenCache extends ResultCache {
  override set(): void {
    throw new Error('no room');
  }
}

/** Keeps warnings to itself. */
class KeptWarnings extends Warnings {
  readonly given: { code: WarningCode; message: string }[] = [];

  override warn(code: WarningCode, message: string): void {
    this.given.push({ code, message });
  }
}

let driver: ScriptedDriver;
let clock: VirtualClock;
let warnings: KeptWarnings;
let consumer: Consumer;
let aborting: AbortController;

function decode(payload: Uint8Array): TaskMeta {
  const text = Buffer.from(payload).toString();
  if (text === 'rubbish') throw new DecodeError('not JSON');
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- as a serializer of a user may
  if (text === 'odd') throw 'no error at all';
  const [status = '', result] = text.split(':');
  return { status, result };
}

function create(Cache: typeof ResultCache = ResultCache): Consumer {
  return new Consumer({
    store: driver,
    source: driver,
    keys: createKeys(''),
    cache: new Cache({ maxEntries: 100, maxBytes: 1e6, expires: null }, clock),
    clock,
    warnings,
    decode,
    backstopMs: 30_000,
    lastLookMs: 250,
    holdForMs: 60_000,
    maxHeld: 3,
    maxHeldBytes: 500,
  });
}

beforeEach(() => {
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  warnings = new KeptWarnings();
  consumer = create();
  aborting = new AbortController();
});

afterEach(async () => {
  await consumer.close();
  await settle();
  expect([consumer.waits, consumer.channels, clock.timers]).toEqual([0, 0, 0]);
});

interface Watched {
  readonly seen: string[];
  end: WaitEnd | undefined;
}

/** A wait for `t`, which ends when `aborting` says so. */
async function wait(limits: WaitLimits = {}): Promise<Watched> {
  const watched: Watched = { seen: [], end: undefined };
  const onMessage = (meta: TaskMeta): void => {
    watched.seen.push(`${meta.status}:${String(meta.result)}`);
  };
  void consumer.wait('t', { signal: aborting.signal, onMessage, ...limits }).then((end) => (watched.end = end));
  await settle();
  return watched;
}

async function leave(): Promise<void> {
  aborting.abort();
  aborting = new AbortController();
  await settle();
}

async function confirm(index = driver.subscribes.length - 1): Promise<void> {
  driver.subscribes[index]?.answer([null]);
  await settle();
}

async function reply(text: string | null, index = driver.reads.length - 1): Promise<void> {
  driver.reads[index]?.answer([text === null ? null : Buffer.from(text)]);
  await settle();
}

async function message(text: string): Promise<void> {
  driver.listener.onMessage(KEY, Buffer.from(text));
  await settle();
}

function errorOf({ end }: Watched): unknown {
  return end instanceof WaitFailure ? end.error() : end;
}

/** What a channel of diagnostics is told during a test. */
function told(name: string): { readonly events: unknown[]; [Symbol.dispose](): void } {
  const events: unknown[] = [];
  const note = (event: unknown): void => {
    events.push(event);
  };
  subscribe(name, note);
  return { events, [Symbol.dispose]: () => void unsubscribe(name, note) };
}

describe('a channel that is left and joined again', () => {
  it('does not count the confirmation of before for the SUBSCRIBE after', async () => {
    await wait();
    await leave();
    await wait();
    await confirm(0);
    expect(driver.log).toEqual([`SUBSCRIBE ${KEY}`, `UNSUBSCRIBE ${KEY}`, `SUBSCRIBE ${KEY}`]);
    await confirm(1);
    expect(driver.log.at(-1)).toBe(`GET ${KEY}`);
  });

  it('stays, left once more, until its last UNSUBSCRIBE is confirmed', async () => {
    await wait();
    await leave();
    await wait();
    await leave();
    driver.unsubscribes[0]?.answer([null]);
    await settle();
    expect(consumer.channels).toBe(1);
    driver.unsubscribes[1]?.answer([null]);
    await settle();
    expect(consumer.channels).toBe(0);
  });

  it('is another one after a new link, which the UNSUBSCRIBE of before does not touch', async () => {
    await wait();
    await leave();
    driver.listener.onReconnect();
    await settle();
    const watched = await wait();
    driver.unsubscribes[0]?.answer([null]);
    await settle();
    expect(consumer.channels).toBe(1);
    await message('SUCCESS:1');
    expect(watched.end).toMatchObject({ result: '1' });
  });

  it('is unsubscribed again when its SUBSCRIBE is confirmed after it was gone', async () => {
    await wait();
    await leave();
    driver.unsubscribes[0]?.answer([null]);
    await settle();
    expect(consumer.channels).toBe(0);
    await confirm();
    expect(driver.log).toEqual([`SUBSCRIBE ${KEY}`, `UNSUBSCRIBE ${KEY}`, `UNSUBSCRIBE ${KEY}`]);
  });
});

describe('a channel that several wait on', () => {
  it('stays as it is when one of them leaves, for those who come too', async () => {
    await wait();
    const staying = await wait({ signal: undefined });
    await confirm();
    await reply(null);
    await leave();
    const late = await wait({ signal: undefined });
    expect(driver.log).toEqual([`SUBSCRIBE ${KEY}`, `GET ${KEY}`]);
    await message('SUCCESS:1');
    expect([staying.end, late.end]).toMatchObject([{ result: '1' }, { result: '1' }]);
  });

  it('is not subscribed to again by a new link that it was subscribed over', async () => {
    await wait();
    await confirm();
    const taskIds = Array.from({ length: A_PART + 1 }, (_, index) => `other ${index}`);
    for (const taskId of taskIds) void consumer.wait(taskId, { signal: aborting.signal });
    await settle();
    // Those beyond that many have their turn after this; the link is there when the last comes.
    driver.listener.onReconnect();
    const last = consumer.wait('last', { signal: aborting.signal });
    await settle();
    const key = createKeys('').task('last');
    expect(driver.subscribes.flatMap(({ keys }) => keys).filter((each) => each === key)).toEqual([key]);
    await leave();
    expect(await last).toMatchObject({ outcome: 'aborted' });
  });
});

describe('a reply that is no answer', () => {
  it('does not make a channel read before its confirmation', async () => {
    await wait();
    await message('rubbish');
    expect(driver.reads).toEqual([]);
    await confirm();
    expect(driver.reads).toHaveLength(1);
  });

  it('does not make the read of an older link count for a newer one', async () => {
    const watched = await wait();
    await confirm();
    await message('rubbish');
    driver.listener.onReconnect();
    await settle();
    await confirm();
    await reply('STARTED:old', 0);
    expect(watched.seen).toEqual([]);
    await reply('STARTED:new');
    expect(watched.seen).toEqual(['STARTED:new']);
  });

  it('does not end the waits of a newer link', async () => {
    const watched = await wait();
    await confirm();
    driver.listener.onReconnect();
    await settle();
    await reply('rubbish', 0);
    expect(watched.end).toBeUndefined();
  });

  it('is not decoded when nobody waits any more', async () => {
    using rejected = told('celery-redis-backend:rejected');
    await wait();
    await confirm();
    await leave();
    await reply('rubbish');
    expect(rejected.events).toEqual([]);
  });

  it('is published with its task and why, where somebody waits', async () => {
    using rejected = told('celery-redis-backend:rejected');
    await wait();
    await confirm();
    await reply('rubbish');
    expect(rejected.events).toEqual([{ taskId: 't', error: expect.any(DecodeError) }]);
  });
});

describe('a serializer that throws what is no error', () => {
  it('ends the waits with an error that says it', async () => {
    const watched = await wait();
    await confirm();
    await reply('odd');
    expect(watched.end).toMatchObject({ outcome: 'failed' });
    expect(errorOf(watched)).toEqual(new Error('no error at all'));
  });
});

describe('an observer', () => {
  it('is shown a state that the read finds, and that state is shown to those who join after its message', async () => {
    const first = await wait();
    await confirm();
    await reply('STARTED:1');
    expect(first.seen).toEqual(['STARTED:1']);
    await message('STARTED:1');
    const second = await wait();
    expect([first.seen, second.seen]).toEqual([['STARTED:1'], ['STARTED:1']]);
  });

  it('is shown a message twice that comes twice', async () => {
    const watched = await wait();
    await confirm();
    await message('PROGRESS:1');
    await message('PROGRESS:1');
    expect(watched.seen).toEqual(['PROGRESS:1', 'PROGRESS:1']);
  });

  it('is shown a state that the backstop, or the last look, finds', async () => {
    const watched = await wait({ timeoutMs: 60_000 });
    await confirm();
    await reply(null);
    await clock.advance(40_000);
    await reply('STARTED:backstop');
    expect(watched.seen).toEqual(['STARTED:backstop']);
    await clock.advance(20_000);
    await reply('RETRY:last look');
    expect(watched.seen).toEqual(['STARTED:backstop', 'RETRY:last look']);
    expect(consumer.tally).toMatchObject({ rescued: 0, foundAtDeadline: 0 });
  });
});

describe('what the backstop rescues', () => {
  it.each([
    ['a result', 'SUCCESS:1', 1],
    ['rubbish', 'rubbish', 0],
    ['an empty value', '', 0],
    ['an unready state', 'STARTED:1', 0],
  ])('is counted, and published, for %s', async (_title, text, count) => {
    using rescued = told('celery-redis-backend:rescued');
    await wait();
    await confirm();
    await reply(null);
    await clock.advance(40_000);
    await reply(text);
    expect(consumer.tally.rescued).toBe(count);
    expect(rescued.events).toEqual(count > 0 ? [{ taskId: 't', duration: 40 }] : []);
  });
});

describe('what goes wrong', () => {
  it('on the way to the waits ends them with it', async () => {
    consumer = create(BrokenCache);
    const watched = await wait();
    await confirm();
    await reply('SUCCESS:1');
    expect(watched.end).toMatchObject({ outcome: 'failed' });
    expect(errorOf(watched)).toEqual(new Error('no room'));
  });

  it('for good ends the waits with the task, the reason and the cause', async () => {
    const watched = await wait();
    const cause = new BackendError('NOAUTH log in first', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOAUTH' });
    driver.subscribes[0]?.fail(cause);
    await settle();
    expect(watched.end).toMatchObject({ outcome: 'failed' });
    expect(errorOf(watched)).toMatchObject({
      code: 'CELERY_BACKEND_GET',
      taskId: 't',
      message: expect.stringMatching(/task t: NOAUTH log in first/),
      cause,
    });
  });

  it('with a channel is a warning that says why, and which permission is missing', async () => {
    await wait();
    const reply = Object.assign(new Error('NOPERM no channel'), { name: 'ReplyError' });
    driver.subscribes[0]?.answer([refused(`SUBSCRIBE ${KEY}`, reply, { channel: KEY })]);
    await settle();
    expect(warnings.given).toEqual([
      { code: 'CELERY_CHANNEL_REFUSED', message: expect.stringMatching(/NOPERM no channel.*ACL SETUSER.*&celery/) },
    ]);
  });
});

describe('a wait that never begins', () => {
  it('is aborted by its signal', async () => {
    const watched = await wait({ signal: AbortSignal.abort('enough') });
    expect([watched.end, errorOf(watched)]).toMatchObject([{ outcome: 'aborted' }, 'enough']);
    expect(driver.log).toEqual([]);
  });

  it('is closed after close', async () => {
    await consumer.close();
    const watched = await wait();
    expect(watched.end).toMatchObject({ outcome: 'closed' });
    expect(errorOf(watched)).toBeInstanceOf(BackendClosedError);
  });
});

describe('closing', () => {
  it('reads nothing though a confirmation is still to come', async () => {
    await wait();
    void consumer.close();
    await confirm();
    expect(driver.log.filter((command) => command.startsWith('GET'))).toEqual([]);
  });
});
