/** What `storeResult` writes for the values that real Celery was recorded with: the same bytes. */
import { randomUUID } from 'node:crypto';

import { afterAll, describe, expect, it } from '@jest/globals';

import { systemClock } from '../../src/clock.ts';
import { Decimal, PlainDate, RedisBackend, type ResultTuple, type TaskRequest, Uuid } from '../../src/index.ts';
import { openSpace } from '../../src/memory/space.ts';
import { recordings, TYPED, VALUES, type Vector } from '../support/vectors.ts';

/** What to store. */
interface Store {
  readonly value: unknown;
  readonly state?: string;
  readonly traceback?: string;
  readonly request?: TaskRequest;
}

/** What is not written as Celery wrote it, and why. */
const EXCEPTIONS: readonly (readonly [name: RegExp, why: string])[] = [
  [/^json\/value\/datetime\.(naive|naive\.ms|year1)$/, 'a Date is never naive'],
  [/^json\/value\/datetime\.(utc|-08:00\.us)$/, 'a Date has no microseconds'],
  [/^json\/value\/datetime\.\+05:30$/, 'a Date has no offset'],
  [/^json\/value\/dict\.type-(unknown|lookalike)$/, 'what looks like an envelope is refused'],
  [/^json\/state\/FAILURE\.(none|str|dict)$/, 'a failure is always stored as an exception'],
  [/^json\/group\//, 'no meta of a task'],
];
/** kombu 5.2 wrote texts for typed values. */
const UNTYPED =
  /^json\/(value\/(datetime|date|time|uuid|decimal|bytes)\b|exception\/typed-args|meta\/extended\/request-typed)/;

const WRITTEN: Readonly<Record<string, unknown>> = {
  ...VALUES,
  ...TYPED,
  'uuid.v4': new Uuid('0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5'),
  'uuid.nil': new Uuid('00000000-0000-0000-0000-000000000000'),
};

const raised = (excType: string, args: readonly unknown[], excModule = 'builtins'): unknown => ({ exc_type: excType, exc_message: args, exc_module: excModule }); // prettier-ignore
const pythonError = (name: string, message: string): Error => Object.assign(new Error(message), { name });

const STATES: Readonly<Record<string, Store>> = {
  PENDING: { value: null }, STARTED: { value: { pid: 4242, hostname: 'celery@host' } }, SUCCESS: { value: 'ok' },
  FAILURE: { value: pythonError('ValueError', 'boom') }, RETRY: { value: pythonError('ValueError', 'later') },
  REVOKED: { value: raised('TaskRevokedError', ['revoked'], 'celery.exceptions') }, REJECTED: { value: undefined },
  IGNORED: { value: null }, PROGRESS: { value: new Map([['current', 3], ['total', 10]]) },
}; // prettier-ignore

const CELERY = 'celery.exceptions';
const WRAPPER = 'celery.utils.serialization';
const EXCEPTION_ARGS: Readonly<Record<string, readonly [type: string, args: readonly unknown[], module?: string]>> = {
  'OSError': ['FileNotFoundError', [2, 'No such file']],
  'inner-class': ['Outer.InnerError', ['inner'], 'vecapp'],
  'local-class': ['make_local.<locals>.LocalError', ['local boom'], 'vecapp'],
  'exception-in-args': ['RuntimeError', ['outer', "KeyError('inner')"]],
  'unjson-arg': ['ValueError', ['<UnJson object>', '{1}', [1, 2]]],
  'typed-args': ['ValueError', [new Date('2024-01-02'), new Uuid('00000000000000000000000000000001'), new Decimal('1.5'),
    Buffer.from('x'), new Uint8Array([255])]],
  'unicode': ['ValueError', ['h\u00e9llo \u{1f600}']],
  'ChordError': ['ChordError', ['Dependency x raised ValueError()'], CELERY],
  'TaskRevokedError': ['TaskRevokedError', ['revoked'], CELERY],
  'Retry': ['Retry', ["Retry(Retry(...), ValueError('x'), 10)", "ValueError('x')", 10], CELERY],
  'Ignore': ['Ignore', [], CELERY],
  'MaxRetriesExceededError': ['MaxRetriesExceededError', ["Can't retry x[1] args:() kwargs:{}"], CELERY],
  'TimeLimitExceeded': ['TimeLimitExceeded', [30], 'billiard.exceptions'],
  'Terminated': ['Terminated', [15], 'billiard.exceptions'],
  'celery.TimeoutError': ['TimeoutError', ['The operation timed out.'], CELERY],
  'worker/local-class': ['UnpickleableExceptionWrapper', ['vecapp', 'LocalError', ['local boom'], "LocalError('local boom')"], WRAPPER],
  'worker/needs-two': ['UnpickleableExceptionWrapper', ['vecapp', 'NeedsTwo', ['404: nf'], "NeedsTwo('404: nf')"], WRAPPER],
}; // prettier-ignore

const MARKS: Readonly<Record<string, Store>> = {
  done: { state: 'SUCCESS', value: 'res' },
  failure: { state: 'FAILURE', value: pythonError('ValueError', 'boom'), traceback: 'Traceback ...\nValueError: boom\n' },
  retry: { state: 'RETRY', value: pythonError('ValueError', 'again'), traceback: 'tb' },
  revoked_noreason: { state: 'REVOKED', value: raised('TaskRevokedError', [''], CELERY) },
}; // prettier-ignore

const REQUEST: TaskRequest = {
  task: 'vec.echo', args: [1, 'a'], kwargs: { k: 1 }, hostname: 'celery@host', retries: 2, delivery_info: { routing_key: 'vec' },
}; // prettier-ignore

const typedArgs = [
  new Date('2024-01-02T03:04:05Z'),
  new Uuid('00000000-0000-0000-0000-000000000005'),
  new Decimal('1.10'),
];
const REQUESTS: Readonly<Record<string, TaskRequest>> = {
  'request': REQUEST, 'started': REQUEST, 'failure': REQUEST, 'request-shadow': REQUEST,
  'request-group': { ...REQUEST, group: 'gid-1' }, 'request-parent': { ...REQUEST, parent_id: 'parent-1' },
  'request-noargs': { ...REQUEST, args: [], kwargs: {} }, 'request-none-args': { task: 'vec.echo', args: null, kwargs: null },
  'request-typed': { ...REQUEST, args: typedArgs, kwargs: { when: new PlainDate('2024-01-02'), nested: [{ d: new Decimal('2') }] } },
  'request-no-delivery-info': { ...REQUEST, delivery_info: null },
  'request-stamps': { ...REQUEST, stamped_headers: ['s'], stamps: { s: 'x' } },
}; // prettier-ignore

/** What to store, by the name of a vector. */
function storeOf({ name, python_repr: repr }: Vector): Store {
  const [, kind = '', ...path] = name.split('/');
  const last = path.at(-1) ?? '';
  const short = path.join('/');
  if (kind.startsWith('mark_as_')) return known(MARKS, kind.slice('mark_as_'.length));
  if (kind === 'state') return { state: last, ...known(STATES, last) };
  if (kind === 'exception') {
    const traceback = 'Traceback (most recent call last):\n  ...\n';
    return { state: 'FAILURE', value: raised(...known(EXCEPTION_ARGS, last)), traceback };
  }
  if (kind === 'exception-worker')
    return { state: 'FAILURE', value: raised(...known(EXCEPTION_ARGS, `worker/${last}`)) };
  if (kind === 'children') return { value: 'ok', request: { ...REQUEST, children: childrenOf(repr ?? '') } };
  if (kind === 'meta') return { ...metaOf(last), request: known(REQUESTS, last) };
  if (short === 'str.long') return { value: (repr ?? '').slice(1, -1) };
  return { value: kind === 'value' ? known(WRITTEN, short) : 1 };
}

function metaOf(last: string): Store {
  if (last === 'started') return { state: 'STARTED', value: { pid: 1, hostname: 'h' } };
  if (last !== 'failure') return { value: 'ok' };
  return { state: 'FAILURE', value: pythonError('ValueError', 'x'), traceback: 'Traceback ...' };
}

/** From Python's notation of tuples. */
function childrenOf(repr: string): readonly ResultTuple[] {
  const json = repr.replaceAll('(', '[').replaceAll(')', ']').replaceAll("'", '"').replaceAll('None', 'null');
  return JSON.parse(json) as readonly ResultTuple[];
}

function known<T>(table: Readonly<Record<string, T>>, name: string): T {
  if (!Object.hasOwn(table, name)) throw new Error(`no value for the vector ${name}`);
  return table[name] as T;
}

const DATE = /"date_done": "[^"]*"/;

describe.each(recordings)('what Celery $version wrote', ({ version, vectors }) => {
  const url = `memory://${randomUUID()}`;
  const space = openSpace(url, systemClock);
  const backends = [false, true].map((extended) => new RedisBackend({}, { url, extended }));
  afterAll(() => Promise.all(backends.map((backend) => backend.close())));

  const isExcepted = ({ name }: Vector): boolean =>
    EXCEPTIONS.some(([pattern]) => pattern.test(name)) || (version === '5.2' && UNTYPED.test(name));
  const ours = vectors.filter(({ name }) => name.startsWith('json/'));
  const same = ours.filter((vector) => !isExcepted(vector));

  it('is compared but for few exceptions, each of which there is', () => {
    expect(same.length).toBeGreaterThan(80);
    for (const [pattern] of EXCEPTIONS) expect(ours.some(({ name }) => pattern.test(name))).toBe(true);
  });

  it.each(same)('$name is what we write', async (vector) => {
    const { value, state = 'SUCCESS', traceback, request } = storeOf(vector);
    const options = { ...(traceback !== undefined && { traceback }), ...(request && { request }) };
    const backend = backends[vector.config['result_extended'] === true ? 1 : 0];
    await backend?.storeResult(vector.task_id, value, state, options);
    const written = space.get(`celery-task-meta-${vector.task_id}`)?.toString() ?? '';
    const date = DATE.exec(written)?.[0] ?? '"date_done": null';
    if (date !== '"date_done": null')
      expect(date).toMatch(/^"date_done": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"$/);
    expect(withoutStack(written, value, traceback)).toBe(vector.payload.replace(DATE, date));
  });
});

/** A JavaScript stack stands where Celery was given no traceback. */
function withoutStack(text: string, value: unknown, traceback: string | undefined): string {
  if (!(value instanceof Error) || traceback !== undefined) return text;
  return text.replace(/"traceback": "(?:[^"\\]|\\.)*"/, '"traceback": null');
}
