/** The serializers over a real Redis: that a SUCCESS stands, whatever it is written in, and that binary passes. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BackendOptions, RedisBackend, type Serializer } from '../../src/index.ts';
import { createMsgpackSerializer } from '../../src/serializers/msgpack.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';
import { RedisServer } from '../support/redis.ts';

let server: RedisServer;
const backends: RedisBackend[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
});
afterAll(() => server.stop());

function open(serializer: string | Serializer, options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url: server.url, serializer, maxCachedResults: -1, ...options });
  backends.push(backend);
  return backend;
}

const keyOf = (id: string): string => `celery-task-meta-${id}`;

/** One of the user's own, about which a script knows nothing. */
const reversed: Serializer = {
  name: 'reversed',
  contentType: 'application/x-reversed',
  encode: (document) => Buffer.from(JSON.stringify(document)).reverse(),
  decode: (payload) => JSON.parse(Buffer.from(payload).reverse().toString()) as unknown,
};

const serializers: readonly (readonly [string, string | Serializer])[] = [
  ['yaml', 'yaml'],
  ['msgpack', 'msgpack'],
  ['superjson', 'superjson'],
  ["a serializer of one's own without a probe", reversed],
];

describe.each(serializers)('with %s', (_, serializer) => {
  it('the SUCCESS stands in 2,000 races of a SUCCESS and a FAILURE', async () => {
    const [one, other] = [open(serializer), open(serializer)];
    const race = (id: string, first: RedisBackend, second: RedisBackend): Promise<unknown> =>
      Promise.all([
        first.storeResult(id, 'right', 'SUCCESS'),
        second.storeResult(id, new Error('late\nstatus: SUCCESS\n'), 'FAILURE'),
      ]);
    const ids = Array.from({ length: 2000 }, () => randomUUID());
    for (let from = 0; from < ids.length; from += 100) {
      await Promise.all(ids.slice(from, from + 100).map((id, i) => (i % 2 ? race(id, one, other) : race(id, other, one)))); // prettier-ignore
    }
    const metas = [...(await open(serializer).getMany(ids)).values()];
    expect(metas).toHaveLength(2000);
    expect(new Set(metas.map(({ status, result }) => `${status} ${String(result)}`))).toEqual(new Set(['SUCCESS right'])); // prettier-ignore
  });

  it('any other state is overwritten, and rubbish too', async () => {
    const backend = open(serializer);
    const id = randomUUID();
    for (const state of ['STARTED', 'FAILURE', 'RETRY', 'SUCCESSFUL', 'X'.repeat(40), 'SUCCESS']) {
      expect(await backend.storeResult(id, state === 'RETRY' ? null : { status: 'SUCCESS' }, state)).toBe('stored');
      expect(await backend.getStatus(id)).toBe(state);
    }
    expect(await backend.storeResult(id, null, 'STARTED')).toBe('kept');
    for (const rubbish of ['', 'rubbish', '\x81\xa6status', Buffer.from([0xc1]), 'status: [', '{"status": ']) {
      await server.cli('SET', keyOf(id), rubbish);
      expect(await backend.storeResult(id, null, 'STARTED')).toBe('stored');
    }
  });

  it('a wait is woken by what another publishes, bytes and all', async () => {
    const id = randomUUID();
    const result = { text: 'h\u00e9\u{1f600}\n', list: [1, 2.5, null, true] };
    const waiting = open(serializer).waitFor(id, { timeout: 20 });
    await open(serializer).storeResult(id, result, 'SUCCESS');
    expect(await waiting).toEqual(result);
  });
});

describe('the probe of yaml', () => {
  it.each([
    ['result: 1\nstatus: SUCCESS\ntask_id: t\n', 'kept'],
    ['status: SUCCESS\n', 'kept'],
    ['result: 1\nstatus: SUCCESS', 'kept'],
    ['result: 1\r\nstatus: SUCCESS\r\ntask_id: t\r\n', 'kept'],
    ['status:  "SUCCESS" # done\n', 'kept'],
    ["'status': 'SUCCESS'\n", 'kept'],
    ['---\nstatus: SUCCESS\n...\n', 'kept'],
    ['{"result": {"a": 1}, "status": "SUCCESS"}', 'kept'],
    ['status: FAILURE\ntraceback: "\n  status: SUCCESS\n  "\n', 'stored'],
    ['status: STARTED\nresult: |\n  status: SUCCESS\n', 'stored'],
    ['status: STARTED\nresult:\n- status: SUCCESS\n', 'stored'],
    ['status: STARTED\nresult:\n  status: SUCCESS\n', 'stored'],
    ['status: SUCCESSFUL\n', 'stored'],
    ['my_status: SUCCESS\nstatus: STARTED\n', 'stored'],
    ['{"result": {"status": "SUCCESS"}, "status": "STARTED"}', 'stored'],
  ])('takes %j for one to be %s', async (text, outcome) => {
    const id = randomUUID();
    await server.cli('SET', keyOf(id), text);
    expect(await open('yaml').storeResult(id, 2, 'STARTED')).toBe(outcome);
  });
});

describe('the probe of msgpack', () => {
  it.each([
    ['with the status first, as in Celery', { status: 'SUCCESS', result: 1, task_id: 't' }, 'kept'],
    ['with bytes in it', { status: 'SUCCESS', result: new Uint8Array([255]) }, 'kept'],
    ['with the status elsewhere', { result: 1, status: 'SUCCESS' }, 'kept'],
    ['with many fields', { status: 'SUCCESS', ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, i])) }, 'kept'],
    ['of another state', { status: 'STARTED', result: { status: 'SUCCESS' } }, 'stored'],
    ['of a state that only begins so', { status: 'SUCCESSFUL' }, 'stored'],
    ['that is no map', ['status', 'SUCCESS'], 'stored'],
    ['that is a text', '\xa6status\xa7SUCCESS', 'stored'],
  ])('takes a payload %s as it is', async (_, document, outcome) => {
    const id = randomUUID();
    await server.cli('SET', keyOf(id), Buffer.from(createMsgpackSerializer().encode(document)));
    expect(await open('msgpack').storeResult(id, 2, 'STARTED')).toBe(outcome);
  }); // prettier-ignore
});

describe.each(
  [createYamlSerializer(), createMsgpackSerializer()].map((serializer) => [serializer.name, serializer] as const),
)('the probe of %s and its decoder', (_, serializer) => {
  it('agree on 500 random metas', async () => {
    const line = fc.constantFrom('status: SUCCESS', "'status': SUCCESS", '\xa6status\xa7SUCCESS', 'x', ' ', '');
    const text = fc.oneof(
      fc.string(),
      fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n')),
    );
    const value = fc.oneof(text, fc.constant({ status: 'SUCCESS' }), fc.array(text), fc.dictionary(text, text));
    const status = fc.constantFrom('SUCCESS', 'STARTED', 'FAILURE', 'SUCCESS\n', 'x\nstatus: SUCCESS\n');
    const metas = fc.sample(fc.record({ args: value, status, result: value, traceback: text }), 500);
    const states: unknown[] = [];
    for (const meta of metas) {
        await server.cli('SET', 'probed', Buffer.from(serializer.encode(meta)));
        states.push(await server.cli('EVAL', `local key = KEYS[1]\nlocal function probe() ${serializer.probe ?? ''} end\nreturn probe() and 1 or 0`, 1, 'probed'));
      } // prettier-ignore
    expect(states).toEqual(metas.map((meta) => (meta.status === 'SUCCESS' ? 1 : 0)));
    expect(new Set(states).size).toBe(2);
  });
});
