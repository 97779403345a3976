/** Chords by a clock of the test's own: leases, lost replies, and what is left behind. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Lease } from '../../src/chords/lease.ts';
import { type BackendOptions, RedisBackend, type Signature, type TaskRequest } from '../../src/index.ts';
import { openSpace, closeSpace } from '../../src/memory/space.ts';
import type { ChordStore } from '../../src/ports.ts';
import { exceptionRepr, pythonRepr } from '../../src/python-repr.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { PartPrefixes } from '../../src/chords/part-prefixes.ts';
import { ChordBackend, withMethods } from '../support/chord-backend.ts';
import { outage } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const LEASE_MS = 10_000;
const body: Signature = { task: 'app.body', options: { task_id: 'the-body' } };
const part = (id: string, index: number): TaskRequest => ({ id, group: 'g', group_index: index, chord: body });

let clock = new VirtualClock();
let url = '';
const sent: (readonly unknown[])[] = [];
let onSend = (): Promise<void> => Promise.resolve();
const app = {
  applySignature: (_: Signature, args: readonly unknown[]): Promise<void> => {
    sent.push(args);
    return onSend();
  },
};
const opened: { close(): Promise<void> }[] = [];

function options(): BackendOptions {
  return { url, clock };
}

function backend(): RedisBackend {
  const made = new RedisBackend(app, options());
  opened.push(made);
  return made;
}

function changedBackend(change: (chords: ChordStore) => ChordStore): ChordBackend {
  const made = new ChordBackend(app, options(), change);
  opened.push(made);
  return made;
}

function fresh(): void {
  clock = new VirtualClock();
  url = `memory://${randomUUID()}`;
  sent.length = 0;
  onSend = () => Promise.resolve();
}

fresh();
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
  expect(clock.timers).toBe(0);
  fresh();
});

/** Reads keys as another program would. */
function keyOf(suffix: string): string | null {
  const space = openSpace(url, clock);
  try {
    return space.get(`celery-taskset-meta-g.${suffix}`)?.toString() ?? null;
  } finally {
    closeSpace(url);
  }
}

describe('a chord whose body is being sent', () => {
  it('is not taken over while signs of life come, and the one that waits gives up after three leases', async () => {
    let finish!: () => void;
    onSend = () => new Promise((resolve) => (finish = resolve));
    const [one, other] = [backend(), backend()];
    await one.setChordSize('g', 1);
    const sending = one.onChordPartReturn(part('a', 0), 'SUCCESS', 1);
    await settle();
    const waiting = other.onChordPartReturn(part('a', 0), 'SUCCESS', 1);
    await clock.advance(2.9 * LEASE_MS);
    expect(sent.length).toBe(1);
    await clock.advance(LEASE_MS);
    expect(await waiting).toBe('elsewhere');
    finish();
    expect(await sending).toBe('sent');
    expect(sent).toEqual([[[1]]]);
  });

  it('is sent by another one, once no sign of life has come for a lease, and the first sends nothing when it wakes up', async () => {
    let wake!: () => void;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const stuck = changedBackend((chords) =>
      withMethods(chords, {
        renew: (claim) => asleep.then(() => chords.renew(claim)),
        members: (keys, ordered) => asleep.then(() => chords.members(keys, ordered)),
      }),
    );
    await stuck.setChordSize('g', 1);
    const first = stuck.onChordPartReturn(part('a', 0), 'SUCCESS', 1);
    await settle();
    const second = backend().onChordPartReturn(part('a', 0), 'SUCCESS', 1);
    await clock.advance(LEASE_MS * 1.5);
    expect(await second).toBe('sent');
    wake();
    expect(await first).toBe('elsewhere');
    expect(sent).toEqual([[[1]]]);
  });
});

describe('a part whose reply was lost', () => {
  it('finds its own claim when it is sent again, at once', async () => {
    let calls = 0;
    const lossy = changedBackend((chords) =>
      withMethods(chords, {
        record: async (each) => {
          const found = await chords.record(each);
          calls += 1;
          if (calls === 1) throw outage();
          return found;
        },
      }),
    );
    await lossy.setChordSize('g', 1);
    const call = lossy.onChordPartReturn(part('a', 0), 'SUCCESS', 1);
    await clock.advance(1);
    expect(await call).toBe('sent');
    expect(calls).toBe(2);
    expect(sent).toEqual([[[1]]]);
  });

  it('rejects when Redis stays out of reach, and the next one takes the chord over', async () => {
    const broken = changedBackend((chords) => withMethods(chords, { members: () => Promise.reject(outage()) }));
    await broken.setChordSize('g', 1);
    const call = broken.onChordPartReturn(part('a', 0), 'SUCCESS', 1).catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(await call).toMatchObject({ code: 'CELERY_BACKEND_STORE', message: expect.stringContaining('chord g') });
    expect(keyOf('c')).toBe('open');
    expect(await backend().onChordPartReturn(part('a', 0), 'SUCCESS', 1)).toBe('sent');
  });
});

it('keys that cannot be deleted are warned of, and the body counts as sent', async () => {
  const warned: unknown[] = [];
  const onWarning = (event: unknown): void => void warned.push((event as { code: string }).code);
  subscribe('celery-redis-backend:warning', onWarning);
  try {
    const broken = changedBackend((chords) => withMethods(chords, { finish: () => Promise.reject(outage()) }));
    await broken.setChordSize('g', 1);
    const call = broken.onChordPartReturn(part('a', 0), 'SUCCESS', 1);
    await clock.advance(60_000);
    expect(await call).toBe('sent');
    const unsendable = changedBackend((chords) => chords);
    await unsendable.markAsFailure('x', new Error('no'), { request: { errbacks: [{ task: 'app.on_error' }] } });
    await settle();
    expect(warned).toEqual(['CELERY_CHORD_LEFT', 'CELERY_ERRBACKS_UNSENT']);
  } finally {
    unsubscribe('celery-redis-backend:warning', onWarning);
  }
});

describe('a lease', () => {
  const claim = { keys: { parts: 'j', added: 't', size: 's', lock: 'c' }, ordered: true, token: 't', leaseMs: 900 };

  it('is renewed three times in its time, goes on after an outage, and ends when it was lost', async () => {
    const answers: (boolean | Error)[] = [true, outage(), true, false, true];
    const asked: number[] = [];
    const store = {
      renew: () => {
        asked.push(clock.now());
        const answer = answers.shift();
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer === true);
      },
    } as unknown as ChordStore;
    const lease = new Lease(store, claim, clock);
    lease.start();
    await clock.advance(1000);
    expect(asked).toEqual([300, 600, 900]);
    expect(await lease.held()).toBe(true);
    await clock.advance(1000);
    expect(asked).toEqual([300, 600, 900, 1200]);
    expect(await lease.held()).toBe(false);
    await lease.stop();
  });

  it('asks once more when the process has stood still for longer', async () => {
    let ours = true;
    const store = { renew: () => Promise.resolve(ours) } as unknown as ChordStore;
    const lease = new Lease(store, claim, clock);
    await clock.advance(899);
    ours = false;
    expect(await lease.held()).toBe(true);
    await clock.advance(1);
    expect(await lease.held()).toBe(false);
    await lease.stop();
  });
});

it('a serializer whose first bytes do not tell the task gives no prefix, so that no part of another task is replaced', () => {
  const json = createJsonSerializer();
  const prefixes = new PartPrefixes(json);
  expect(prefixes.of('a')).toBe('[1, "a", "');
  const reversed = {
    ...json,
    encode: (document: unknown) => String(json.encode(document)).split('').reverse().join(''),
  };
  expect(new PartPrefixes(reversed).of('a')).toBeNull();
  expect(new PartPrefixes({ ...json, encode: () => 'same' }).of('a')).toBeNull();
});

it('values are shown as Python shows them', () => {
  const shown = [null, true, 'a\'b\n\u0007\u{1f600}', 'both \' and "', 1.5, NaN, -Infinity, 12n, [1, [null]], { k: 'v' }]; // prettier-ignore
  expect(shown.map(pythonRepr)).toEqual([
    'None', 'True', '"a\'b\\n\\x07\u{1f600}"', "'both \\' and \"'", '1.5', 'nan', '-inf', '12', '[1, [None]]', "{'k': 'v'}",
  ]); // prettier-ignore
  const info = { exc_type: 'Outer.Inner', exc_message: [2, 'No such file'], exc_module: 'app' };
  expect([info, { ...info, exc_message: [] }, null, 'text', { exc_type: 5 }].map(exceptionRepr)).toEqual([
    "Inner(2, 'No such file')", 'Inner()', 'None', "'text'", "{'exc_type': 5}",
  ]); // prettier-ignore
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  expect(pythonRepr(cyclic).length).toBeLessThan(100);
});
