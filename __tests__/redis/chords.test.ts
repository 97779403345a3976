/** Chords on a Redis, in one script and in steps of one key, together with workers that do what Celery does. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { type BackendOptions, RedisBackend, type Signature, type TaskRequest } from '../../src/index.ts';
import { RedisChords } from '../../src/redis/chords.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { ChordBackend } from '../support/chord-backend.ts';
import { deferred } from '../support/contract/context.ts';
import { Monitor } from '../support/monitor.ts';
import { RedisServer } from '../support/redis.ts';

const KEY = 'celery-taskset-meta-g';
const body: Signature = { task: 'app.body', options: { task_id: 'the-body' } };
const part = (place: number): TaskRequest => ({ id: `task-${place}`, group: 'g', group_index: place, chord: body });

let server: RedisServer;
let sent: unknown[] = [];
let onSend = (): Promise<void> => Promise.resolve();
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  sent = [];
  onSend = () => Promise.resolve();
  await server.cli('FLUSHALL');
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const app = {
  applySignature: (_: Signature, args: readonly unknown[]): Promise<void> => {
    sent.push(args);
    return onSend();
  },
};

function connectionTo(client: RedisClient) {
  return { run: <T>({ send }: { send: (client: RedisClient) => Promise<T> }): Promise<T> => send(client) };
}

/** A worker of ours. */
function worker(atomic: boolean, options: BackendOptions = {}): ChordBackend {
  const client = new Redis(server.url);
  const connection = connectionTo(client);
  const made = new ChordBackend(
    app,
    { url: server.url, chordLease: 0.3, ...options },
    () => new RedisChords(connection, { atomic }),
  );
  closing.push(() => made.close(), () => { client.disconnect(); }); // prettier-ignore
  return made;
}

/** A worker of Celery: what `on_chord_part_return` does, command by command. */
async function celery(client: Redis, place: number): Promise<void> {
  const member = `[1, "task-${place}", "SUCCESS", ${place}]`;
  const [j, t, s] = [`${KEY}.j`, `${KEY}.t`, `${KEY}.s`] as const;
  const replies = await client
    .multi()
    .zadd(j, place, member)
    .zcount(j, '-inf', '+inf')
    .get(t)
    .get(s)
    .expire(j, 86_400)
    .expire(t, 86_400)
    .expire(s, 86_400)
    .exec();
  const [, count, added, size] = (replies ?? []).map(([, reply]) => reply) as [
    number,
    number,
    string | null,
    string | null,
  ];
  if (!size || count !== Number(size) + Number(added ?? 0)) return;
  await client.get(KEY);
  const members = await client.multi().zrange(j, 0, -1).exec();
  sent.push([(members?.[0]?.[1] as string[]).map((text) => (JSON.parse(text) as unknown[])[3])]);
  await client.multi().del(j).del(t).del(s).exec();
}

/** Leaves a complete chord, of one task and of those that joined it, claimed by somebody of whom nothing is heard again. */
async function vanish(atomic: boolean, joined: number): Promise<void> {
  const keys = { parts: `${KEY}.j`, added: `${KEY}.t`, size: `${KEY}.s`, lock: `${KEY}.c` };
  const chords = new RedisChords(connectionTo(server.admin()), { atomic });
  await server.cli('SET', keys.size, '1');
  if (joined > 0) await server.cli('SET', keys.added, String(joined));
  const claim = { keys, ordered: true, token: 'vanished', leaseMs: 300, prefix: null, ttl: 86_400 };
  for (let place = joined; place >= 0; place -= 1) {
    const member = `[1, "task-${place}", "SUCCESS", ${place}]`;
    const { state } = await chords.record({ ...claim, member, score: place });
    expect(state).toBe(place === 0 ? 'claimed' : 'counting');
  }
}

async function keys(): Promise<string[]> {
  return ((await server.cli('KEYS', `${KEY}*`)) as string[]).sort();
}

describe.each([true, false])('chords on one server, by one script: %p', (atomic) => {
  it('send one body of 50 parts that five workers return twice at the same instant, 20 times over', async () => {
    const workers = Array.from({ length: 5 }, () => worker(atomic));
    for (let round = 0; round < 20; round += 1) {
      await server.cli('FLUSHALL');
      sent = [];
      await server.cli('SET', `${KEY}.s`, '50');
      const calls = Array.from({ length: 100 }, (_, i) =>
        (workers[i % 5] ?? worker(atomic)).onChordPartReturn(part(i % 50), 'SUCCESS', i % 50),
      );
      await Promise.all(calls);
      expect(sent).toEqual([[Array.from({ length: 50 }, (_, place) => place)]]);
    }
  });

  it('send one body when workers of Celery return parts among ours, and ours come twice', async () => {
    const ours = [worker(atomic), worker(atomic)] as const;
    const theirs = [server.admin(), new Redis(server.url)] as const;
    closing.push(() => { theirs[1].disconnect(); }); // prettier-ignore
    for (let round = 0; round < 30; round += 1) {
      await server.cli('FLUSHALL');
      sent = [];
      await server.cli('SET', `${KEY}.s`, '12');
      const calls = Array.from({ length: 12 }, (_, place) => {
        if (place % 2 === 0) return [celery(theirs[(place / 2) % 2] ?? theirs[0], place)];
        return ours.map((each) => each.onChordPartReturn(part(place), 'SUCCESS', place));
      });
      await Promise.all(calls.flat());
      expect(sent).toEqual([[Array.from({ length: 12 }, (_, place) => place)]]);
    }
  }, 120_000);

  it.each([0, 3])(
    'that %p tasks joined, and whose claimant vanished, are taken over by one of many',
    async (joined) => {
      const workers = Array.from({ length: 6 }, () => worker(atomic));
      await vanish(atomic, joined);
      const outcomes = await Promise.all(workers.map((each) => each.onChordPartReturn(part(0), 'SUCCESS', 0)));
      expect(outcomes.filter((outcome) => outcome === 'sent').length).toBe(1);
      expect(sent).toEqual([[Array.from({ length: 1 + joined }, (_, place) => place)]]);
      expect(await keys()).toEqual([]);
    },
  );

  it('are sent anew after a dispatch that failed, and left to expire after a part that failed', async () => {
    const one = worker(atomic);
    await one.setChordSize('g', 2);
    onSend = () => Promise.reject(new Error('no broker'));
    await one.onChordPartReturn(part(0), 'SUCCESS', 0);
    await expect(one.onChordPartReturn(part(1), 'SUCCESS', 1)).rejects.toMatchObject({ code: 'CELERY_CHORD_UNSENT' });
    expect(await server.cli('GET', `${KEY}.s`)).toBe('2');
    expect(await server.cli('TTL', `${KEY}.s`)).toBe(86_400);
    onSend = () => Promise.resolve();
    expect(await worker(atomic).onChordPartReturn(part(0), 'SUCCESS', 'new')).toBe('sent');
    expect(sent.at(-1)).toEqual([['new', 1]]);
    expect(await keys()).toEqual([]);

    await one.setChordSize('g', 2);
    await one.addToChord('g');
    for (const place of [0, 1]) await one.onChordPartReturn(part(place), 'FAILURE', new Error('no'));
    expect(await one.onChordPartReturn(part(2), 'SUCCESS', 2)).toBe('failed');
    expect(await keys()).toEqual([`${KEY}.j`, `${KEY}.s`, `${KEY}.t`]);
    expect(await server.cli('GET', `${KEY}.s`)).toBe('2');
  });

  it('whose parts are of another kind are a clear error, and the result is stored', async () => {
    await worker(atomic).onChordPartReturn(part(0), 'SUCCESS', 0);
    const unordered = worker(atomic, { chordOrdered: false });
    await expect(unordered.markAsDone('task-1', 1, { request: part(1) })).rejects.toMatchObject({
      message: expect.stringMatching(/record task task-1 in chord g.*WRONGTYPE/),
    });
    expect(await unordered.getStatus('task-1')).toBe('SUCCESS');
  });
});

describe('a worker of Celery that returns a part again', () => {
  it.each([0, 3])('does nothing while a body is being sent, whose chord %p tasks joined', async (joined) => {
    const ours = worker(true);
    const [sending, over] = [deferred<undefined>(), deferred<undefined>()];
    onSend = () => {
      sending.resolve(undefined);
      return over.promise;
    };
    await ours.setChordSize('g', 1);
    for (let place = 1; place <= joined; place += 1) await ours.addToChord('g');
    for (let place = 1; place <= joined; place += 1) await ours.onChordPartReturn(part(place), 'SUCCESS', place);
    const last = ours.onChordPartReturn(part(0), 'SUCCESS', 0);
    await sending.promise;
    for (let place = 0; place <= joined; place += 1) await celery(server.admin(), place);
    over.resolve(undefined);
    expect(await last).toBe('sent');
    expect(sent).toEqual([[Array.from({ length: 1 + joined }, (_, place) => place)]]);
    expect(await keys()).toEqual([]);
  });

  it.each([0, 3])(
    'sends the body once the lease is over of a claimant that vanished, with %p that joined',
    async (joined) => {
      await vanish(true, joined);
      while ((await server.cli('EXISTS', `${KEY}.c`)) !== 0);
      await celery(server.admin(), 0);
      expect(sent).toEqual([[Array.from({ length: 1 + joined }, (_, place) => place)]]);
    },
  );
});

it('a part is one command; in steps each command has one key', async () => {
  const whole = new RedisBackend(app, { url: server.url });
  closing.push(() => whole.close());
  const stepped = worker(false);
  await whole.setChordSize('g', 2);
  await using monitor = await Monitor.start(server);
  await whole.onChordPartReturn(part(0), 'SUCCESS', 0);
  const isEval = (name: string): boolean => name.startsWith('EVAL');
  await monitor.until(({ name }) => isEval(name));
  const [script] = monitor.commands.filter(({ name }) => isEval(name));
  expect(script?.args.slice(1, 6)).toEqual(['4', `${KEY}.j`, `${KEY}.t`, `${KEY}.s`, `${KEY}.c`]);
  monitor.commands.length = 0;
  expect(await stepped.onChordPartReturn(part(1), 'SUCCESS', 1)).toBe('sent');
  await monitor.until(({ name, args }) => name === 'DEL' && args[0] === `${KEY}.c`);
  const touched = monitor.commands.map(({ name, args }) => [name, isEval(name) ? args[1] : args.length]);
  expect(touched.filter(([name]) => isEval(String(name))).every(([, count]) => count === '1')).toBe(true);
  expect(touched.filter(([name]) => name === 'DEL').every(([, count]) => count === 1)).toBe(true);
  expect(monitor.commands.filter(({ name }) => name === 'DEL').map(({ args }) => args[0])).toEqual(
    ['.s', '.j', '.t', '.c'].map((suffix) => KEY + suffix),
  );
});
