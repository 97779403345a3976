/** Stores that Redis executed, and whose answer was lost with the link: each is made again, and changes nothing. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type BackendOptions, RedisBackend, type Serializer, type Signature } from '../../src/index.ts';
import { eventually } from '../support/driver.ts';
import { Proxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';

let server: RedisServer;
let proxy: Proxy;
const backends: RedisBackend[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli('FLUSHALL');
  proxy = await Proxy.start(server.port);
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  await proxy[Symbol.asyncDispose]();
});

const keyOf = (id: string): string => `celery-task-meta-${id}`;
const body: Signature = { task: 'app.body', options: { task_id: 'the-body' } };

async function open(options: BackendOptions = {}, app: object = {}): Promise<RedisBackend> {
  const backend = new RedisBackend(app, { url: proxy.url, maxCachedResults: -1, ...options });
  backends.push(backend);
  await backend.connect();
  return backend;
}

/** Makes a call whose answer is lost once it was executed, which is when `done` is true. Resolves to its outcome. */
async function withoutAnswer<T>(call: () => Promise<T>, done: () => Promise<boolean>): Promise<T> {
  proxy.hold('down');
  const outcome = call();
  // Its failure, if any, is that of the test.
  outcome.catch(() => undefined);
  await eventually(done);
  proxy.cut();
  proxy.release();
  return outcome;
}

/** What is published on the channel of a task until `stop`, which waits for what is on its way. */
async function published(id: string): Promise<{ readonly stop: () => Promise<string[]> }> {
  const client = server.admin().duplicate();
  const texts: string[] = [];
  client.on('message', (_channel, text) => texts.push(text));
  await client.subscribe(keyOf(id));
  return {
    stop: async () => {
      await client.unsubscribe();
      client.disconnect();
      return texts;
    },
  };
}

/** One about which a script knows nothing: it is written by comparison. */
const reversed: Serializer = {
  name: 'reversed',
  contentType: 'application/x-reversed',
  encode: (document) => Buffer.from(JSON.stringify(document)).reverse(),
  decode: (payload) => JSON.parse(Buffer.from(payload).reverse().toString()) as unknown,
};

describe.each(['json', 'superjson', 'yaml', 'msgpack'])('a store in %s whose answer was lost', (serializer) => {
  it.each(['first of its task', 'after a STARTED'])(
    '%s is there once it is acknowledged, SUCCESS or not',
    async (when) => {
      for (const state of ['STARTED', 'FAILURE', 'SUCCESS']) {
        const backend = await open({ serializer });
        const id = randomUUID();
        if (when.includes('after')) await backend.storeResult(id, 'before', 'STARTED');
        const before = await server.cli('GET', keyOf(id));
        const value = state === 'FAILURE' ? new Error('boom') : 'value';
        const messages = await published(id);
        const outcome = await withoutAnswer(
          () => backend.storeResult(id, value, state),
          async () => (await server.cli('GET', keyOf(id))) !== before,
        );
        // The second time it finds its own SUCCESS, and cannot tell it from that of another.
        expect(outcome).toBe(state === 'SUCCESS' ? 'kept' : 'stored');
        expect(await backend.getStatus(id)).toBe(state);
        if (state !== 'FAILURE') expect(await backend.getResult(id)).toBe('value');
        expect(backend.stats().storeRetries).toBe(1);
        expect(new Set(await messages.stop()).size).toBe(1);
      }
    },
  );
});

describe('a store without a probe, by a read and a comparison, whose answer was lost', () => {
  it.each(['first of its task', 'after a STARTED'])('%s is there once it is acknowledged', async (when) => {
    for (const state of ['STARTED', 'SUCCESS']) {
      const backend = await open({ serializer: reversed, heartbeat: 60 });
      const id = randomUUID();
      if (when.includes('after')) await backend.storeResult(id, 'before', 'STARTED');
      const before = (await server.admin().get(keyOf(id))) ?? '';
      // What the read answers, `_` or `$-1` when there is nothing, and the first bytes of what the script does.
      proxy.cutAfter(before === '' ? 6 : `$${before.length}\r\n${before}\r\n`.length + 1);
      expect(await backend.storeResult(id, 'value', state)).toBe(state === 'SUCCESS' ? 'kept' : 'stored');
      expect(backend.stats().storeRetries).toBe(1);
      expect(await backend.getResult(id)).toBe('value');
      expect(await backend.getStatus(id)).toBe(state);
    }
  });
});

describe('an answer that was lost', () => {
  it('of a batch of several tasks lets each be made again on its own', async () => {
    const backend = await open();
    const ids = Array.from({ length: 10 }, () => randomUUID());
    const outcomes = await withoutAnswer(
      () => Promise.all(ids.map((id, i) => backend.storeResult(id, i, i % 2 === 0 ? 'SUCCESS' : 'STARTED'))),
      async () => (await server.cli('EXISTS', keyOf(ids.at(-1) ?? ''))) === 1,
    );
    expect(outcomes).toEqual(ids.map((_, i) => (i % 2 === 0 ? 'kept' : 'stored')));
    expect(await Promise.all(ids.map((id) => backend.getResult(id)))).toEqual(ids.map((_, i) => i));
    expect(backend.stats().storeRetries).toBe(10);
  });

  it('of STARTED does not let it land on the SUCCESS that was stored after it', async () => {
    const backend = await open();
    const id = randomUUID();
    const messages = await published(id);
    const outcomes = await withoutAnswer(
      () => Promise.all([backend.storeResult(id, null, 'STARTED'), backend.storeResult(id, 1, 'FAILURE')]),
      async () => (await server.cli('EXISTS', keyOf(id))) === 1,
    );
    expect(outcomes).toEqual(['stored', 'stored']);
    const states = (await messages.stop()).map((text) => (JSON.parse(text) as { status: string }).status);
    expect(states).toEqual(['STARTED', 'STARTED', 'FAILURE']);
    expect(await backend.getStatus(id)).toBe('FAILURE');
  });

  it('of a saved group leaves the group as it was saved', async () => {
    const backend = await open();
    const members = [randomUUID(), randomUUID()].map((id) => [[id, null], null] as const);
    await withoutAnswer(
      () => backend.saveGroup('g', [['g', null], members]),
      async () => (await server.cli('EXISTS', 'celery-taskset-meta-g')) === 1,
    );
    expect(await backend.restoreGroup('g')).toEqual([['g', null], members]);
  });

  it.each([true, false])(
    'of a part of a chord counts it once, and sends one body (ordered: %p)',
    async (chordOrdered) => {
      const sent: unknown[] = [];
      const applySignature = (_: Signature, args: readonly unknown[]): Promise<void> => {
        sent.push(args);
        return Promise.resolve();
      };
      const backend = await open({ chordOrdered }, { applySignature });
      await backend.setChordSize('g', 2);
      const count = (): Promise<unknown> => server.cli(chordOrdered ? 'ZCARD' : 'LLEN', 'celery-taskset-meta-g.j');
      for (const place of [0, 1]) {
        const request = { id: `task-${place}`, group: 'g', group_index: place, chord: body };
        await withoutAnswer(
          () => backend.onChordPartReturn(request, 'SUCCESS', place),
          async () => (await count()) === place + 1,
        );
      }
      expect(sent).toEqual([[[0, 1]]]);
      expect(await server.cli('KEYS', 'celery-taskset-meta-g*')).toEqual([]);
    },
  );

  it('is told by the channel of retries, with the reason and without the result', async () => {
    const events: unknown[] = [];
    const note = (event: unknown): void => void events.push(event);
    subscribe('celery-redis-backend:store-retry', note);
    const backend = await open();
    const id = randomUUID();
    await withoutAnswer(
      () => backend.storeResult(id, 'a secret', 'SUCCESS'),
      async () => (await server.cli('EXISTS', keyOf(id))) === 1,
    );
    unsubscribe('celery-redis-backend:store-retry', note);
    expect(events).toEqual([
      { taskId: id, attempt: 1, error: expect.objectContaining({ code: 'CELERY_BACKEND_UNAVAILABLE' }) },
    ]);
    expect(JSON.stringify(events)).not.toContain('a secret');
  });
});
