/** What Celery 5.2 lacks, by the bytes that Celery 5.6 stored and published. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal, PlainDate, PlainTime } from '../../src/index.ts';
import { Border, hasEnvelopes, keyOf, taskId } from '../support/border.ts';
import { findCeleryPython } from '../support/require-celery.ts';

interface Vector {
  readonly name: string;
  readonly config: { readonly global_keyprefix?: string };
  readonly task_id: string;
  readonly key: string;
  readonly payload: string;
  readonly ttl: number;
  readonly channel: string;
  readonly published: string;
}

const FILE = new URL('../fixtures/celery/celery-5.6.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(FILE, 'utf8')) as { vectors: readonly Vector[] };

function recorded(name: string): Vector {
  const vector = vectors.find((each) => each.name === name);
  if (!vector) throw new Error(`nothing recorded of ${name}`);
  return vector;
}

const prefixed = vectors.filter(({ name }) => name.startsWith('json/global_keyprefix/'));
const python = findCeleryPython();
const knowsPrefix = hasEnvelopes(python);

let border: Border;

beforeAll(async () => {
  border = await Border.open();
});

afterAll(async () => {
  await border[Symbol.asyncDispose]();
});

describe('what Celery 5.6 stored is read', () => {
  const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

  it.each([
    ['json/value/datetime.utc', new Date('2024-01-02T03:04:05.678Z')],
    ['json/value/datetime.+05:30', new Date('2024-01-01T21:34:05Z')],
    ['json/value/datetime.naive', new Date('2024-01-02T03:04:05Z')],
    ['json/value/date', new PlainDate('2024-01-02')],
    ['json/value/time.us', new PlainTime('03:04:05.678901')],
    ['json/value/uuid.v4', expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)],
    ['json/value/decimal', new Decimal('3.140')],
    ['json/value/bytes', bytes(97, 98, 99)],
    ['json/value/bytes.empty', bytes()],
    [
      'worker/typed-args',
      {
        args: [new Date('2024-01-02T03:04:05Z'), new Decimal('1.5')],
        kwargs: { u: '00000000-0000-0000-0000-000000000007' },
      },
    ],
  ])('with its types: %s', async (name, value) => {
    const { key, payload, task_id: id } = recorded(name);
    await border.server.cli('SET', key, payload);
    expect(await border.backend().waitFor(id, { timeout: 5 })).toEqual(value);
  });

  it('with its arguments, their types included, when it is extended', async () => {
    const { key, payload, task_id: id } = recorded('worker-extended/typed-args');
    await border.server.cli('SET', key, payload);
    const meta = await border.backend().getTaskMeta(id);
    expect(meta).toMatchObject({ retries: 0, queue: expect.any(String), worker: expect.any(String) });
    expect(meta.args).toEqual([new Date('2024-01-02T03:04:05Z'), new Decimal('1.5')]);
  });
});

describe('a key prefix', () => {
  it.each(prefixed)('of Celery 5.6 names the key that is read: $name', async (vector) => {
    const { key, payload, task_id: id } = vector;
    await border.server.cli('SET', key, payload);
    const meta = await border.backend({ globalKeyprefix: vector.config.global_keyprefix }).getTaskMeta(id);
    expect(meta.status).toBe('SUCCESS');
  });

  it.each(prefixed)('of Celery 5.6 names the channel that wakes a wait: $name', async (vector) => {
    const { key, channel, published, task_id: id } = vector;
    await border.server.cli('DEL', key);
    const backend = border.backend({ globalKeyprefix: vector.config.global_keyprefix });
    const value = backend.waitFor(id, { timeout: 30 });
    await border.until(async () => Number(await border.server.cli('PUBLISH', channel, published)) > 0);
    expect(await value).toEqual((JSON.parse(published) as { result: unknown }).result);
  });

  it.each(prefixed)('names the same key, of the same life, when TypeScript stores: $name', async (vector) => {
    const { key, payload, task_id: id, ttl } = vector;
    await border.server.cli('DEL', key);
    const { result } = JSON.parse(payload) as { result: unknown };
    await border.backend({ globalKeyprefix: vector.config.global_keyprefix }).storeResult(id, result, 'SUCCESS');
    const moment = /"date_done": "[^"]*"/;
    expect(String(await border.server.cli('GET', key)).replace(moment, '')).toBe(payload.replace(moment, ''));
    expect(Number(await border.server.cli('TTL', key))).toBeGreaterThan(ttl - 60);
  });

  it(`is ${knowsPrefix ? 'shared with' : 'unknown to'} Celery ${python.celery}`, async () => {
    const [theirs, ours] = [taskId(), taskId()];
    const conf = { result_backend_transport_options: { global_keyprefix: 'myapp' } };
    await border.python.run("make_app(**conf).backend.store_result(task_id, 1, 'SUCCESS')", { task_id: theirs, conf });
    const backend = border.backend({ globalKeyprefix: 'myapp' });
    await backend.storeResult(ours, 2, 'SUCCESS');
    expect(await border.server.cli('EXISTS', knowsPrefix ? `myapp_${keyOf(theirs)}` : keyOf(theirs))).toBe(1);
    expect(await backend.getStatus(theirs)).toBe(knowsPrefix ? 'SUCCESS' : 'PENDING');
    expect((await border.view(ours, conf)).state).toBe(knowsPrefix ? 'SUCCESS' : 'PENDING');
  });
});
