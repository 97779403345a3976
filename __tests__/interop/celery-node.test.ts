/** celery-node with this backend, beside real Celery. */
import { EventEmitter, once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import celery from 'celery-node';
import { attachClient, type Swallowed } from '../../src/adapters/celery-node/index.ts';
import { Canvas, type CanvasMessage, chord, redisEnvelope, signature } from '../../src/canvas/index.ts';
import { RedisBackend, resultFromTuple } from '../../src/index.ts';
import { Border, keyOf, taskId } from '../support/border.ts';
import { CeleryWorker } from '../support/celery.ts';
import { type NodeTask, NodeWorker } from '../support/celery-node.ts';
import { failure } from '../support/failure.ts';
import { Monitor } from '../support/monitor.ts';
import { RedisServer } from '../support/redis.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const version = `Celery ${findCeleryPython().celery}`;

let border: Border;

beforeAll(async () => {
  border = await Border.open();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

class CardDeclined extends Error {}

describe(`a worker of celery-node, for a producer of ${version}`, () => {
  let node: NodeWorker;
  let backend: RedisBackend;

  beforeAll(() => {
    backend = border.backend({ extended: true });
    const tasks = {
      add: (x: number, y: number) => x + y,
      nothing: () => undefined,
      big: (value: unknown) => [typeof value, value],
      greet: (name: string, { greeting }: { greeting: string }) => `${greeting}, ${name}`,
      decline: (reason: string) => Promise.reject(new CardDeclined(reason)),
      throwText: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a worker must survive
        throw 'text';
      },
      fn: () => () => undefined,
    };
    node = new NodeWorker(border.server.url, backend, tasks, {
      queue: 'node',
      trackStarted: true,
      hostname: 'node@here',
    });
  });

  afterAll(async () => {
    await node[Symbol.asyncDispose]();
  });

  /** Sends a task from Python to the worker. */
  async function send(task: string, args: readonly unknown[], options: object = {}): Promise<string> {
    const id = taskId();
    const code = `app.send_task(task, args=args, task_id=id, queue='node', **options)`;
    await border.python.run(code, { task, args, id, options });
    return id;
  }

  it.each([
    { task: 'add', args: [2, 3], value: '5' },
    { task: 'nothing', args: [], value: 'None' },
    { task: 'big', args: [3], value: "['number', 3]" },
    { task: 'greet', args: ['Ada'], options: { kwargs: { greeting: 'Hello' } }, value: "'Hello, Ada'" },
  ])('$task returns what Python reads as $value', async ({ task, args, options, value }) => {
    const id = await send(task, args, options);
    await backend.waitFor(id, { timeout: 30 });
    expect(await border.view(id)).toMatchObject({
      ...{ state: 'SUCCESS', result: value, children: [], traceback: null },
      ...{ name: task, worker: 'node@here', retries: 0, queue: 'node' },
    });
  });

  it('reads integers of any size and NaN, which JSON.parse does not', async () => {
    const id = taskId();
    const code = `app.send_task('big', args=[2 ** 70], task_id=id, queue='node')
nan = app.send_task('big', args=[float('nan')], queue='node')
return [nan.get(timeout=30)[0], str(nan.get()[1]), AsyncResult(id, app=app).get(timeout=30) == ['bigint', 2 ** 70]]`;
    expect(await border.python.runAside(code, { id })).toEqual(['number', 'nan', true]);
  });

  it('fails with an error that Python raises', async () => {
    const id = await send('decline', ['insufficient funds']);
    await backend.waitForMeta(id, { timeout: 30 });
    expect(await border.caught(id)).toMatchObject({ type: 'CardDeclined', str: 'insufficient funds' });
    expect((await border.view(id)).traceback).toContain('insufficient funds\n    at decline');
  });

  it('fails when it throws what is no error, or returns what cannot be written', async () => {
    const [text, fn] = [await send('throwText', []), await send('fn', [])];
    await backend.waitForMeta(text, { timeout: 30 });
    await backend.waitForMeta(fn, { timeout: 30 });
    expect(await border.caught(text)).toMatchObject({ type: 'Error', str: 'text' });
    expect(await border.caught(fn)).toMatchObject({ type: 'EncodeError' });
  });

  it.each(['tasks.unknown', 'constructor', '__proto__'])(
    'fails %s, which it does not know, and goes on',
    async (name) => {
      const id = await send(name, []);
      await backend.waitForMeta(id, { timeout: 30 });
      expect(await border.caught(id)).toMatchObject({
        type: 'NotRegistered',
        module: 'celery.exceptions',
        str: expect.stringContaining(name),
      });
      expect(await backend.waitFor(await send('add', [1, 1]), { timeout: 30 })).toBe(2);
    },
  );

  it('revokes a task that has expired, and does not run it', async () => {
    const before = node.calls.get('add') ?? 0;
    const id = await send('add', [1, 1], { expires: -1 });
    await expect(backend.waitFor(id, { timeout: 30 })).rejects.toMatchObject({
      code: 'CELERY_TASK_REVOKED',
      message: 'expired',
    });
    expect(await border.caught(id)).toMatchObject({ type: 'TaskRevokedError', str: 'expired' });
    expect(node.calls.get('add') ?? 0).toBe(before);
  });

  it('stores nothing of a task whose result is ignored, and STARTED of one whose is not', async () => {
    await using monitor = await Monitor.start(border.server);
    const ignored = await send('add', [1, 1], { ignore_result: true });
    const known = await send('add', [1, 1]);
    await backend.waitFor(known, { timeout: 30 });
    // Redis tells its monitors of a script once it has run, later than it publishes.
    await monitor.until(({ args }) => args.includes(keyOf(known)) && args.join(' ').includes('"status": "SUCCESS"'));
    const stored = (id: string): unknown[] =>
      monitor.commands
        .filter(({ name, args }) => /^EVAL(SHA)?$/.test(name) && args.includes(keyOf(id)))
        .map(({ args }) => /"status": "(\w+)"/.exec(args.join(' '))?.[1]);
    expect(stored(known)).toEqual(['STARTED', 'SUCCESS']);
    expect(stored(ignored)).toEqual([]);
    expect(await border.server.cli('EXISTS', keyOf(ignored))).toBe(0);
  });

  it('holds a task until its eta', async () => {
    const sent = Date.now();
    const id = await send('add', [1, 1], { countdown: 1 });
    expect(await backend.waitFor(id, { timeout: 30 })).toBe(2);
    expect(Date.now() - sent).toBeGreaterThanOrEqual(990);
  });

  it('had nothing to tell of', () => {
    expect(node.told).toEqual([]);
  });
});

describe('a client of celery-node', () => {
  it(`gets what a worker of ${version} publishes, by one subscription and one read`, async () => {
    await using worker = await CeleryWorker.start(border.server.url);
    const backend = border.backend();
    await backend.connect();
    const client = attachClient(celery.createClient(border.server.url, border.server.url), backend);
    await using monitor = await Monitor.start(border.server);
    const added = client.createTask('celery_tasks.add').delay(2, 3);
    expect(await added.get(30_000)).toBe(5);
    await monitor.caughtUp();
    const about = monitor.about(keyOf(added.taskId));
    expect(about.filter((name) => name === 'SUBSCRIBE')).toHaveLength(1);
    // One is ours, the other the worker's look before it stores.
    expect(about.filter((name) => name === 'GET').length).toBeLessThanOrEqual(2);
    const failed = client.sendTask('celery_tasks.fail', ['value']);
    const error = await failure(failed.get(30_000));
    expect(error).toMatchObject({
      message: 'FAILURE',
      exc_type: 'ValueError',
      exc_message: ['boom', 2],
      exc_module: 'builtins',
    });
    expect(await failed.status()).toBe('FAILURE');
    await client.disconnect();
    expect(worker).toBeDefined();
  });

  it('gets what a worker of celery-node publishes, a failure too', async () => {
    const tasks = { add: (x: number, y: number) => x + y, fail: () => Promise.reject(new RangeError('too far')) };
    await using node = new NodeWorker(border.server.url, border.backend(), tasks, { queue: 'both' });
    const client = attachClient(celery.createClient(border.server.url, border.server.url, 'both'), border.backend());
    expect(await client.sendTask('add', [2, 3]).get(30_000)).toBe(5);
    expect(await failure(client.sendTask('fail').get(30_000))).toMatchObject({
      exc_type: 'RangeError',
      cause: { message: 'too far' },
    });
    await client.disconnect();
    expect(node.told).toEqual([]);
  });
});

describe('two workers of celery-node with one backend', () => {
  it('send the bodies of their chords each to its own queue, and so does one attached after both', async () => {
    const backend = border.backend();
    const tasks = { add: (x: number, y: number) => x + y, list: (values: readonly number[]) => values };
    const worker = (known: Readonly<Record<string, NodeTask>>, queue: string): NodeWorker =>
      new NodeWorker(border.server.url, backend, known, { queue });
    const send = (message: CanvasMessage): unknown => border.server.cli('LPUSH', message.queue, redisEnvelope(message));
    const canvas = new Canvas({ send, backend, queue: 'second' });
    const parts = [signature('add', [1, 1]), signature('add', [2, 2])];
    const run = async (): Promise<unknown> =>
      resultFromTuple(await canvas.apply(chord(parts, signature('list'))), backend).get({ timeout: 30 });
    const runBesideFirst = async (): Promise<unknown> => {
      await using first = worker({ add: tasks.add }, 'first');
      await using second = worker(tasks, 'second');
      const value = await run();
      expect([first.told, second.told]).toEqual([[], []]);
      return value;
    };
    expect(await runBesideFirst()).toEqual([2, 4]);
    await using second = worker(tasks, 'second');
    expect(await run()).toEqual([2, 4]);
    expect(second.told).toEqual([]);
  });
});

describe('while the Redis of the results is down', () => {
  it('a worker stores what came of its tasks when it is back, and nothing rejects unheard', async () => {
    await using results = await RedisServer.start();
    const backend = new RedisBackend({}, { url: results.url });
    await backend.connect();
    const events = new EventEmitter();
    const begun = once(events, 'begun');
    const tasks = {
      slow: async () => {
        const released = once(events, 'release');
        events.emit('begun');
        return (await released)[0] as unknown;
      },
    };
    const node = new NodeWorker(border.server.url, backend, tasks, { queue: 'slow', own: true });
    const told: Swallowed[] = [];
    const client = attachClient(celery.createClient(border.server.url, results.url, 'slow'), backend, {
      onError: (swallowed) => told.push(swallowed),
    });
    const result = client.sendTask('slow');
    const value = result.get();
    await begun;
    await results.kill();
    events.emit('release', 'done');
    expect(await result.status()).toBeNull();
    expect(told).toMatchObject([
      { operation: 'getTaskMeta', taskId: result.taskId, error: { code: 'CELERY_BACKEND_GET' } },
    ]);
    await results.restart();
    expect(await value).toBe('done');
    await client.disconnect();
    await node[Symbol.asyncDispose]();
    expect(node.told).toEqual([]);
    await expect(backend.ping()).rejects.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });
});
