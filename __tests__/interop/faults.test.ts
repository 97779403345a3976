/** Subscriptions that Redis kills for their output buffer: of a waiting Celery of Python, and of ours beside it. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Border, keyOf, taskId } from '../support/border.ts';
import { eventually } from '../support/driver.ts';
import { Monitor } from '../support/monitor.ts';
import { Proxy } from '../support/proxy.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const version = `Celery ${findCeleryPython().celery}`;
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

let border: Border;

beforeAll(async () => {
  border = await Border.open();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

/** The connections that are subscribed to something. */
async function subscribers(): Promise<string[]> {
  return (await border.server.clients()).filter(({ sub }) => sub !== '0').map(({ id }) => id);
}

describe(`an AsyncResult.get of ${version} and a wait of ours`, () => {
  it('both get a result of 30 MiB, whose message kills their subscriptions, by the key', async () => {
    const monitor = await Monitor.start(border.server);
    const [waiter, worker] = [border.backend({ backstop: 0 }), border.backend()];
    const id = taskId();
    const theirs = border.python.runAside<string>(
      `import hashlib
return hashlib.sha1(AsyncResult(task_id, app=app).get(timeout=60).encode()).hexdigest()`,
      { task_id: id },
    );
    const ours = waiter.waitFor<string>(id);
    await border.settled(monitor, id, 2);
    await monitor[Symbol.asyncDispose]();
    const before = await subscribers();
    expect(before).toHaveLength(2);
    const value = randomBytes(15 * 2 ** 20).toString('hex');
    await expect(worker.storeResult(id, value, 'SUCCESS')).resolves.toBe('stored');
    expect(sha1(await ours)).toBe(sha1(value));
    expect(await theirs).toBe(sha1(value));
    const after = await subscribers();
    expect(before.filter((each) => after.includes(each))).toEqual([]);
    expect(waiter.stats()).toMatchObject({ reconnects: 1, rescued: 0 });
  });

  it('both get 60 results of 1 MiB that they were too slow to read, and that Redis gave up on', async () => {
    await using proxy = await Proxy.start(border.server.port);
    const [waiter, worker] = [border.backend({ url: proxy.url, backstop: 0, deadAfter: 60 }), border.backend()];
    const ids = Array.from({ length: 60 }, taskId);
    const ours = ids.map((id) => waiter.waitFor<string>(id));
    const theirs = border.python.runAside<number[]>(
      'return [len(value) for value in GroupResult("slow", [AsyncResult(each, app=app) for each in ids], app=app).get(timeout=60)]',
      { ids },
    );
    for (const id of ids) await border.awaited(id, 2);
    const before = await subscribers();
    border.python.pause();
    proxy.hold('down');
    const value = 'x'.repeat(2 ** 20);
    for (const id of ids) await worker.storeResult(id, value, 'SUCCESS');
    // Both are given up while they stand still.
    await eventually(async () => {
      const now = await subscribers();
      return before.every((each) => !now.includes(each));
    });
    proxy.release();
    border.python.resume();
    const values = await Promise.all(ours);
    expect(values.every((each) => each === value)).toBe(true);
    expect(await theirs).toEqual(ids.map(() => value.length));
    expect(waiter.stats()).toMatchObject({ waits: 0, rescued: 0 });
    expect(await border.server.cli('EXISTS', ...ids.map(keyOf))).toBe(60);
  });
});
