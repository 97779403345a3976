/** yaml and msgpack across the border, with what this Python has of them. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PlainDate, type RedisBackend, RemoteError } from '../../src/index.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';
import { Border, taskId } from '../support/border.ts';
import { findCeleryPython } from '../support/require-celery.ts';

/** Registers msgpack from the copy within pip where there is no package: the same code, in Python only. */
const WITH_MSGPACK = `
import sys
try:
    import msgpack
except ImportError:
    import pip._vendor.msgpack
    sys.modules['msgpack'] = pip._vendor.msgpack
    import kombu.serialization
    kombu.serialization.register_msgpack()
`;

/** A format, whether Python has it, and values with what Python writes for them. */
const FORMATS = [
  {
    format: 'yaml',
    needs: 'import yaml',
    values: [
      ['h\u00e9llo \u{1f600}\n\ttwo', `'h\\u00e9llo \\U0001f600\\n\\ttwo'`],
      [['1e3', 'yes', 'y', '', '-.5', '2024-01-02', 'word '.repeat(40)], `['1e3', 'yes', 'y', '', '-.5', '2024-01-02', 'word ' * 40]`],
      [10n ** 30n, '10 ** 30'],
      [[1, 1.5, NaN, Infinity, true, null], `[1, 1.5, float('nan'), float('inf'), True, None]`],
      [new Date('2024-01-02T03:04:05.678Z'), 'datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)'],
      [new PlainDate('2024-01-02'), 'datetime.date(2024, 1, 2)'],
      [new Uint8Array([0, 255, 10]), `b'\\x00\\xff\\n'`],
      [new Set(['a', 'b']), `{'a', 'b'}`],
      [new Map<unknown, unknown>([[1, 'a'], [2, { k: [] }]]), `{1: 'a', 2: {'k': []}}`],
      [{ traceback: 'a\n  b\n\nc: d\n' }, `{'traceback': 'a\\n  b\\n\\nc: d\\n'}`],
    ],
    shared: ['(lambda x: [x, x])({"k": 1})', [{ k: 1 }, { k: 1 }]],
  },
  {
    format: 'msgpack',
    needs: WITH_MSGPACK,
    values: [
      ['h\u00e9llo \u{1f600}', `'h\\u00e9llo \\U0001f600'`],
      [[0, -1, 127, -33, 2 ** 32, -(2 ** 40), 2n ** 64n - 1n, -(2n ** 63n)], '[0, -1, 127, -33, 2**32, -(2**40), 2**64-1, -(2**63)]'],
      [[1.5, -0, NaN, Infinity, true, null], `[1.5, -0.0, float('nan'), float('inf'), True, None]`],
      [new Uint8Array([0, 255]), `b'\\x00\\xff'`],
      ['x'.repeat(70_000), `'x' * 70000`],
      [{ b: [1, { a: [] }], a: {} }, `{'b': [1, {'a': []}], 'a': {}}`],
      [new Map([[new Uint8Array([1]), 'x']]), `{b'\\x01': 'x'}`],
    ],
    shared: ['[(), (1, (2,))]', [[], [1, [2]]]],
  },
] as const; // prettier-ignore

function has(code: string): boolean {
  try {
    execFileSync(findCeleryPython().command, ['-c', code], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const known = FORMATS.filter(({ needs }) => has(needs));

let border: Border;
beforeAll(async () => {
  border = await Border.open();
  if (known.some(({ format }) => format === 'msgpack')) await border.python.run(WITH_MSGPACK);
});
afterAll(() => border[Symbol.asyncDispose]());

it('this Python has yaml at least, which Celery in Debian comes with', () => {
  expect(known.map(({ format }) => format)).toContain('yaml');
});

describe.each(known)('$format across the border', ({ format, values, shared }) => {
  const conf = { result_serializer: format, accept_content: ['json', format] };
  const backend = (): RedisBackend => border.backend({ serializer: format, maxCachedResults: -1 });
  const cases = values.map(([value, expression]) => ({ value: value, expression }));

  /** Stores a Python expression by Python. */
  async function storeByPython(expression: string): Promise<string> {
    const id = taskId();
    const code = `import datetime\nmake_app(**conf).backend.store_result(task_id, ${expression}, 'SUCCESS')`;
    await border.python.run(code, { task_id: id, conf });
    return id;
  }

  async function stored(id: string): Promise<Buffer> {
    return Buffer.from((await border.server.admin().getBuffer(`celery-task-meta-${id}`)) ?? '');
  }

  it.each(cases)('$expression from Python is read', async ({ value, expression }) => {
    expect(await backend().waitFor(await storeByPython(expression), { timeout: 10 })).toEqual(value);
  });

  it.each(cases)('$expression is what Python reads of ours, and the bytes are the same', async ({ value, expression }) => {
    const id = taskId();
    await backend().storeResult(id, value, 'SUCCESS');
    const code = `import datetime\nreturn [repr(AsyncResult(task_id, app=make_app(**conf)).get(timeout=5)), repr(${expression})]`;
    const [seen, expected] = await border.python.run<[string, string]>(code, { task_id: id, conf });
    // A set has no order.
    const sorted = (text: string): string => text.split('').sort().join('');
    expect(sorted(seen)).toBe(sorted(expected));
    const [ours, theirs] = await Promise.all([stored(id), stored(await storeByPython(expression))]);
    expect(masked(ours)).toBe(masked(theirs));
  }); // prettier-ignore

  it('what Python writes in its own way is read', async () => {
    const [expression, value] = shared;
    expect(await backend().waitFor(await storeByPython(expression), { timeout: 10 })).toEqual(value);
  });

  it('a failure is raised on the other side', async () => {
    const [theirs, ours] = [taskId(), taskId()];
    const fail = `make_app(**conf).backend.mark_as_failure(task_id, ValueError('boom', 2), traceback='Traceback\\n  x')`;
    await border.python.run(fail, { task_id: theirs, conf });
    const error = await backend().waitFor(theirs, { timeout: 10, propagate: false });
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ excType: 'ValueError', excArgs: ['boom', 2], traceback: 'Traceback\n  x' });
    await backend().storeResult(ours, new TypeError('no: "good"\n'), 'FAILURE');
    const view = await border.view(ours, conf);
    expect(view).toMatchObject({ state: 'FAILURE', type: 'TypeError', traceback: expect.stringContaining('    at ') });
  });

  it('a SUCCESS of Python is kept, and Python keeps ours', async () => {
    const theirs = await storeByPython('1');
    expect(await backend().storeResult(theirs, 2, 'FAILURE')).toBe('kept');
    const ours = taskId();
    await backend().storeResult(ours, 1, 'SUCCESS');
    const code = `make_app(**conf).backend.store_result(task_id, 2, 'STARTED')`;
    await border.python.run(code, { task_id: ours, conf });
    expect(await backend().getStatus(ours)).toBe('SUCCESS');
  });

  it('a wait on either side is woken by the other', async () => {
    const [theirs, ours] = [taskId(), taskId()];
    const waiting = backend().waitFor(theirs, { timeout: 30 });
    await border.awaited(theirs);
    const code = `make_app(**conf).backend.store_result(task_id, {'a': 1}, 'SUCCESS')`;
    await border.python.run(code, { task_id: theirs, conf });
    expect(await waiting).toEqual({ a: 1 });
    const there = border.python.runAside('return AsyncResult(task_id, app=make_app(**conf)).get(timeout=30)', { task_id: ours, conf }); // prettier-ignore
    await border.awaited(ours);
    await backend().storeResult(ours, { b: [2] }, 'SUCCESS');
    expect(await there).toEqual({ b: [2] });
  });
});

describe('yaml of random values', () => {
  it('is that of PyYAML, byte for byte, and is read back', async () => {
    const yaml = createYamlSerializer();
    await yaml.load?.();
    const sign = fc.constantFrom(...' \n\'"\\:#-?,[]{}&*!|>%@`=<~yYnN01.e+_x/\t\0'.split(''), '\u00e9', '\u{1f600}', '\ud83d', 'word '); // prettier-ignore
    const text = fc.oneof(
      fc.array(sign, { maxLength: 150 }).map((signs) => signs.join('')),
      fc.string({ unit: 'binary' }),
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, text, fc.double(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.array(tie('any')), fc.dictionary(text, tie('any'))),
    })).any; // prettier-ignore
    const values = fc.sample(value, 1000);
    const code = 'import yaml\nreturn [yaml.safe_dump(json.loads(text)) for text in texts]';
    const json = createJsonSerializer();
    const theirs = await border.python.run<string[]>(code, { texts: values.map((each) => json.encode(each)) });
    expect(values.map((each) => yaml.encode(each))).toEqual(theirs);
    const sortless = (each: unknown): unknown => JSON.parse(JSON.stringify(each));
    expect(theirs.map((each) => sortless(yaml.decode(Buffer.from(each))))).toEqual(values.map(sortless));
  });
});

/** A payload without its moment, which differs in length between versions of Celery, and without its task's id. */
function masked(payload: Buffer): string {
  return payload
    .toString('latin1')
    .replace(/(?:\xd9[ -~]|[\xa0-\xbf])?\d{4}-\d\d-\d\dT[\d:.]+(?:\+00:00)?/, 'DATE')
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/, 'ID');
}
