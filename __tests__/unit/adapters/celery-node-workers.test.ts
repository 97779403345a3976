/** Several workers of celery-node on one backend: each sends what follows its own tasks. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  attachWorker,
  type CeleryNodeBroker,
  type CeleryNodeDelivery,
  type CeleryNodeWorker,
} from '../../../src/adapters/celery-node/index.ts';
import type { CeleryApp } from '../../../src/arguments.ts';
import { RedisBackend, type Signature } from '../../../src/index.ts';

/** What was published, as `broker queue task`. */
type Published = string[];

class KeptBroker implements CeleryNodeBroker {
  readonly #name: string;
  readonly #published: Published;

  constructor(name: string, published: Published) {
    this.#name = name;
    this.#published = published;
  }

  isReady(): Promise<void> {
    return Promise.resolve();
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  publish(_: object, __: string, queue: string, headers: object): Promise<void> {
    this.#published.push(`${this.#name} ${queue} ${String(Reflect.get(headers, 'task'))}`);
    return Promise.resolve();
  }
}

/** A worker on a queue, and a broker, of its own. */
class FakeWorker implements CeleryNodeWorker {
  readonly conf: CeleryNodeWorker['conf'];
  readonly broker: KeptBroker;
  readonly activeTasks = new Set<Promise<unknown>>();
  readonly handlers: Record<string, () => unknown> = {
    ok: () => Promise.resolve(1),
    fail: () => Promise.reject(new TypeError('boom')),
  };

  constructor(name: string, published: Published) {
    this.conf = {
      CELERY_BROKER: `${name}-broker`,
      CELERY_BROKER_OPTIONS: published,
      CELERY_QUEUE: `${name}-queue`,
    };
    this.broker = new KeptBroker(this.conf.CELERY_BROKER, published);
  }

  isReady(): Promise<void> {
    return Promise.resolve();
  }

  async disconnect(): Promise<void> {
    await (Reflect.get(this, '_backend') as { disconnect(): Promise<void> }).disconnect();
  }

  /** Runs a message as celery-node would. */
  async take(task: string, headers: object = {}, embed: object = {}): Promise<string> {
    const id = randomUUID();
    const createHandler = Reflect.get(this, 'createTaskHandler') as () => (
      message: CeleryNodeDelivery,
    ) => Promise<void>;
    const body = Buffer.from(JSON.stringify([[], {}, embed]));
    await createHandler()({ body, headers: { id, task, ...headers }, properties: {} });
    return id;
  }
}

class Shop implements AsyncDisposable {
  readonly published: Published = [];
  readonly app: CeleryApp;
  readonly backend: RedisBackend;

  constructor(app: CeleryApp = {}) {
    this.app = app;
    this.backend = new RedisBackend(app, { url: `memory://${randomUUID()}` });
  }

  worker(name: string): FakeWorker {
    return attachWorker(new FakeWorker(name, this.published), this.backend);
  }

  /** Runs the only part of a chord. @returns the id of its body */
  async part(worker: FakeWorker, task = 'ok'): Promise<string> {
    const [group, bodyId] = [randomUUID(), randomUUID()];
    await this.backend.setChordSize(group, 1);
    await worker.take(task, { group }, { chord: { task: 'body', args: [], kwargs: {}, options: { task_id: bodyId } } });
    return bodyId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backend.close();
  }
}

const ERRBACK: Signature = { task: 'errback', args: [], kwargs: {}, options: {} };

describe('two workers of celery-node with one backend', () => {
  it('send the bodies of chords that they complete each to its own broker and queue', async () => {
    await using shop = new Shop();
    const [one, two] = [shop.worker('one'), shop.worker('two')];
    for (const worker of [two, one, two]) await shop.part(worker);
    expect(shop.published).toEqual([
      'two-broker two-queue body',
      'one-broker one-queue body',
      'two-broker two-queue body',
    ]);
  });

  it('send the error callbacks of their tasks each to its own broker and queue, at once too', async () => {
    await using shop = new Shop();
    const workers = [shop.worker('one'), shop.worker('two')];
    await Promise.all(workers.map((worker) => worker.take('fail', {}, { errbacks: [ERRBACK] })));
    expect(shop.published.sort()).toEqual(['one-broker one-queue errback', 'two-broker two-queue errback']);
  });

  it.each(['unknown', 'expired'])('do so for a part that is %s', async (kind) => {
    await using shop = new Shop();
    const [one, two] = [shop.worker('one'), shop.worker('two')];
    const chord = { task: 'body', args: [], kwargs: {}, options: { task_id: randomUUID(), link_error: [ERRBACK] } };
    for (const worker of [one, two]) {
      const group = randomUUID();
      await shop.backend.setChordSize(group, 1);
      const expires = kind === 'expired' ? { expires: '2001-01-01T00:00:00+00:00' } : {};
      await worker.take(kind === 'expired' ? 'ok' : 'unknown', { group, ...expires }, { chord });
    }
    expect(shop.published).toEqual(['one-broker one-queue errback', 'two-broker two-queue errback']);
  });

  it.each([0, 1])('go on when number %i of them was disconnected', async (gone) => {
    await using shop = new Shop();
    const workers = [shop.worker('one'), shop.worker('two')] as const;
    const [left, name] = gone === 0 ? [workers[1], 'two'] : [workers[0], 'one'];
    await workers[gone === 0 ? 0 : 1].disconnect();
    const bodyId = await shop.part(left);
    await left.take('fail', {}, { errbacks: [ERRBACK] });
    expect(shop.published).toEqual([`${name}-broker ${name}-queue body`, `${name}-broker ${name}-queue errback`]);
    expect(await shop.backend.getStatus(bodyId)).toBe('PENDING');
  });

  it('are asked in turn, the latest first, for what is sent outside of their tasks', async () => {
    await using shop = new Shop();
    const [one, two] = [shop.worker('one'), shop.worker('two')];
    const request = { id: randomUUID(), errbacks: [ERRBACK] };
    await shop.backend.markAsFailure(request.id, new Error('boom'), { request });
    await two.disconnect();
    await shop.backend.markAsFailure(request.id, new Error('boom'), { request });
    await one.disconnect();
    await expect(shop.backend.markAsFailure(request.id, new Error('boom'), { request })).rejects.toMatchObject({
      code: 'CELERY_IMPROPERLY_CONFIGURED',
      message: expect.stringContaining('attachWorker'),
    });
    expect(shop.published).toEqual(['two-broker two-queue errback', 'one-broker one-queue errback']);
    expect(await shop.backend.getStatus(request.id)).toBe('FAILURE');
  });

  it('send again when they are attached again, after a disconnect and without one', async () => {
    await using shop = new Shop();
    const one = shop.worker('one');
    await one.disconnect();
    attachWorker(one, shop.backend);
    attachWorker(one, shop.backend);
    await shop.part(one);
    expect(shop.published).toEqual(['one-broker one-queue body']);
  });

  it("leave the hooks of the user's own alone", async () => {
    const called: unknown[] = [];
    const applySignature = (signature: Signature): void => void called.push(signature.task);
    await using shop = new Shop({ applySignature });
    const [one, two] = [shop.worker('one'), shop.worker('two')];
    await shop.part(one);
    await shop.part(two);
    expect([called, shop.published, shop.app.applySignature]).toEqual([['body', 'body'], [], applySignature]);
    await one.disconnect();
    await two.disconnect();
    expect(shop.app.applySignature).toBe(applySignature);
  });

  it('refuse an app that cannot be given hooks', async () => {
    await using shop = new Shop(Object.freeze({}));
    expect(() => shop.worker('one')).toThrow(expect.objectContaining({ code: 'CELERY_IMPROPERLY_CONFIGURED' }));
  });
});
