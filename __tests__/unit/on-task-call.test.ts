import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BaseBackend, type BackendOptions, RemoteError, type TaskMeta } from '../../src/index.ts';
import { systemClock } from '../../src/clock.ts';
import { createMemoryDriver } from '../../src/memory/driver.ts';
import { resolveOptions } from '../../src/options.ts';
import type { Serializer } from '../../src/ports.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

class ScriptedBackend extends BaseBackend {
  constructor(driver: ScriptedDriver, options: BackendOptions) {
    super({}, resolveOptions(options, {}), () => ({
      store: driver,
      source: driver,
      chords: memory.chords,
      connect: () => Promise.resolve(),
      ping: () => Promise.resolve(0),
      reconnects: () => 0,
      uri: () => 'scripted://',
      close: () => Promise.resolve(),
    }));
  }
}

/** No test here counts chords. */
const memory = createMemoryDriver('memory://on-task-call', systemClock);

let driver: ScriptedDriver;
let clock: VirtualClock;
let backend: ScriptedBackend;

beforeEach(() => {
  driver = new ScriptedDriver();
  clock = new VirtualClock();
  backend = new ScriptedBackend(driver, { clock });
});

afterEach(async () => {
  await backend.close();
  expect(clock.timers).toBe(0);
});

function call(taskId: unknown, on: BaseBackend = backend): { done: boolean } {
  const watched = { done: false };
  void on.onTaskCall(taskId as string).then(() => (watched.done = true));
  return watched;
}

async function confirm(): Promise<void> {
  await settle();
  const asked = driver.subscribes.at(-1);
  asked?.answer(asked.keys.map(() => null));
  await settle();
}

async function message(taskId: string, status: string, result: unknown): Promise<void> {
  const meta = { status, result, traceback: null, children: [], date_done: null, task_id: taskId };
  driver.listener.onMessage(`celery-task-meta-${taskId}`, Buffer.from(JSON.stringify(meta)));
  await settle();
}

function stored(taskId: string, status: string, result: unknown): Buffer {
  return Buffer.from(JSON.stringify({ status, result, task_id: taskId }));
}

const FAILED = { exc_type: 'ValueError', exc_message: ['boom'], exc_module: 'builtins' };

describe('onTaskCall', () => {
  it('resolves when the subscription is confirmed, and leaves no timer but that of its hold', async () => {
    const called = call('t1');
    await clock.advance(99);
    expect(called.done).toBe(false);
    await confirm();
    expect(called.done).toBe(true);
    expect([clock.timers, backend.stats().held]).toEqual([1, 1]);
  });

  it('resolves after 100 ms without a confirmation, which counts when it comes', async () => {
    const called = call('t1');
    await clock.advance(99);
    expect(called.done).toBe(false);
    await clock.advance(1);
    expect(called.done).toBe(true);
    await confirm();
    await message('t1', 'SUCCESS', 42);
    expect(await backend.waitFor('t1')).toBe(42);
  });

  it('gives the first wait the SUCCESS that replaced a failure, not the failure that came first', async () => {
    call('t1');
    await confirm();
    await message('t1', 'FAILURE', FAILED);
    await message('t1', 'SUCCESS', 42);
    const log = [...driver.log];
    expect(await backend.waitFor('t1')).toBe(42);
    expect(driver.log).toEqual(log);
  });

  it('lets the first wait read a failure, over the subscription that is there', async () => {
    call('t1');
    await confirm();
    await message('t1', 'FAILURE', FAILED);
    expect(backend.stats().held).toBe(1);
    const log = driver.log.length;
    const seen: unknown[] = [];
    const onMessage = (meta: TaskMeta): void => {
      seen.push(meta.result);
    };
    const failed = expect(backend.waitFor('t1', { onMessage })).rejects.toThrow(RemoteError);
    await settle();
    expect(driver.log.slice(log)).toEqual(['GET celery-task-meta-t1']);
    driver.reads.at(-1)?.answer([stored('t1', 'FAILURE', FAILED)]);
    await failed;
    expect(seen).toEqual([expect.any(RemoteError)]);
    expect(backend.stats().held).toBe(0);
  });

  it('is used up by a wait that finds a failure by one read, for one task or many', async () => {
    call('t1');
    call('t2');
    await confirm();
    await message('t1', 'FAILURE', FAILED);
    await message('t2', 'FAILURE', FAILED);
    const one = backend.waitFor('t1', { timeout: 0, propagate: false });
    await settle();
    driver.reads.at(-1)?.answer([stored('t1', 'FAILURE', FAILED)]);
    expect(await one).toBeInstanceOf(RemoteError);
    expect(backend.stats().held).toBe(1);
    const many = backend.asCompleted(['t2']).next();
    await settle();
    driver.reads.at(-1)?.answer([stored('t2', 'FAILURE', FAILED)]);
    expect((await many).done).toBe(false);
    expect(backend.stats().held).toBe(0);
  });

  it('makes the first wait be answered without a command where no results are cached', async () => {
    const plain = new ScriptedBackend(driver, { clock, maxCachedResults: -1 });
    call('t1', plain);
    await confirm();
    await message('t1', 'SUCCESS', 1);
    const log = [...driver.log];
    const seen: unknown[] = [];
    expect(await plain.waitFor('t1', { timeout: 0, onMessage: (meta) => seen.push(meta.status) })).toBe(1);
    expect([driver.log, seen]).toEqual([log, ['SUCCESS']]);
    await plain.close();
  });

  it('is used up by the first wait: a second one subscribes and reads where no results are cached', async () => {
    const plain = new ScriptedBackend(driver, { clock, maxCachedResults: -1 });
    call('t1', plain);
    await confirm();
    await message('t1', 'SUCCESS', 1);
    expect(await plain.waitFor('t1')).toBe(1);
    const log = driver.log.length;
    const second = plain.waitFor('t1');
    await confirm();
    driver.reads.at(-1)?.answer([stored('t1', 'SUCCESS', 1)]);
    expect(await second).toBe(1);
    await plain.close();
    expect(driver.log.slice(log, log + 2).map((line) => line.split(' ')[0])).toEqual(['SUBSCRIBE', 'GET']);
  });

  it('lets a wait for many read those only that are not held, and tell of all in their order', async () => {
    const plain = new ScriptedBackend(driver, { clock, maxCachedResults: -1 });
    for (const taskId of ['t1', 't2', 't3']) call(taskId, plain);
    await confirm();
    await message('t3', 'SUCCESS', 3);
    await message('t1', 'SUCCESS', 1);
    const seen: string[] = [];
    const all = (async (): Promise<void> => {
      for await (const { taskId } of plain.asCompleted(['t1', 't2', 't3'])) seen.push(taskId);
    })();
    await settle();
    expect(driver.log.at(-1)).toBe('GET celery-task-meta-t2');
    driver.reads.at(-1)?.answer([null]);
    await settle();
    expect(seen).toEqual(['t1', 't3']);
    driver.reads.at(-1)?.answer([null]);
    await message('t2', 'SUCCESS', 2);
    await all;
    expect(seen).toEqual(['t1', 't3', 't2']);
    expect(plain.stats().held).toBe(0);
    await plain.close();
  });

  it('is undone by forget, before the key is deleted', async () => {
    call('t1');
    await confirm();
    await message('t1', 'SUCCESS', 1);
    await backend.forget('t1').catch(() => undefined);
    expect(backend.stats().held).toBe(0);
  });

  it.each([undefined, null, 5, '', 'a\nb', '\ud800', 'x'.repeat(513)])(
    'does nothing for %j, which is no id',
    async (id) => {
      const called = call(id);
      await settle();
      expect([called.done, driver.log]).toEqual([true, []]);
    },
  );

  it('does nothing after close, and is ended by it', async () => {
    const [before, closing] = [call('t1'), backend.close()];
    await closing;
    await settle();
    const after = call('t2');
    await settle();
    expect([before.done, after.done]).toEqual([true, true]);
    expect(driver.log.filter((line) => line.endsWith('t2'))).toEqual([]);
  });

  it('does nothing where results are ignored', async () => {
    const ignoring = new ScriptedBackend(driver, { clock, ignoreResult: true });
    const called = call('t1', ignoring);
    await settle();
    expect([called.done, driver.log]).toEqual([true, []]);
    await ignoring.close();
  });

  it('does nothing for a result that is known', async () => {
    const wait = backend.waitFor('t1');
    await confirm();
    driver.reads.at(-1)?.answer([Buffer.from('{"status": "SUCCESS", "result": 1, "task_id": "t1"}')]);
    await wait;
    await settle();
    const log = [...driver.log];
    const called = call('t1');
    await settle();
    expect([called.done, driver.log]).toEqual([true, log]);
  });

  it('does not keep a sender where the serializer cannot be loaded', async () => {
    const serializer: Serializer = {
      name: 'broken',
      contentType: 'x/broken',
      load: () => Promise.reject(new Error('not installed')),
      encode: () => '',
      decode: () => null,
    };
    const broken = new ScriptedBackend(driver, { clock, serializer });
    const called = call('t1', broken);
    await settle();
    expect([called.done, driver.log]).toEqual([true, []]);
    await expect(broken.waitFor('t1')).rejects.toThrow('not installed');
    await broken.close();
  });
});
