/** What an application does for a backend, and does wrongly: it throws, rejects, throws what is no error, or never ends. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  BackendClosedError,
  type BackendError,
  type BackendOptions,
  type CeleryApp,
  RedisBackend,
} from '../../src/index.ts';
import { recording } from '../support/events.ts';
import { failure } from '../support/failure.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const WAYS: readonly (readonly [way: string, hook: () => never | Promise<never>, text: string])[] = [
  [
    'throws',
    (): never => {
      throw new TypeError('no broker');
    },
    'no broker',
  ],
  ['rejects', (): Promise<never> => Promise.reject(new TypeError('no broker')), 'no broker'],
  [
    'throws what is no error',
    (): never => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- as users do
      throw 'no broker';
    },
    'no broker',
  ],
];

let clock: VirtualClock;
let backend: RedisBackend;

function open(app: CeleryApp, options: BackendOptions = {}): RedisBackend {
  backend = new RedisBackend(app, { url: `memory://hooks-${randomUUID()}`, clock, ...options });
  return backend;
}

/** A chord of one task, whose body has an error callback. */
const BODY = { task: 'app.body', options: { task_id: 'body', link_error: [{ task: 'app.on_error' }] } };
const PART = { id: 'part', group: 'group', group_index: 0, chord: BODY };

beforeEach(() => {
  clock = new VirtualClock();
});
afterEach(async () => {
  const closed = backend.close();
  await clock.advance(60_000);
  await closed;
  expect(clock.timers).toBe(0);
});

describe.each(WAYS)('an applySignature that %s', (_way, applySignature, text) => {
  it('keeps the result, fails the body, and lets the next part send it', async () => {
    using chords = recording('celery-redis-backend:chord');
    let broken = true;
    const sent: unknown[] = [];
    open({
      applySignature: (_, args) => {
        if (broken) return applySignature();
        sent.push(args);
        return Promise.resolve();
      },
    });
    await backend.setChordSize('group', 1);
    const error = await failure<BackendError>(backend.markAsDone('part', 42, { request: PART }));
    expect(error).toMatchObject({ code: 'CELERY_CHORD_UNSENT' });
    expect(error.message).toContain(text);
    expect(chords.told).toEqual([expect.objectContaining({ groupId: 'group', outcome: 'unsent' })]);
    await expect(backend.getResult('part')).resolves.toBe(42);
    await expect(backend.waitFor('body')).rejects.toMatchObject({ code: 'CELERY_CHORD' });
    broken = false;
    await backend.markAsDone('part', 42, { request: PART });
    expect(sent).toEqual([[[42]]]);
  });
});

describe.each(WAYS)('a callErrbacks that %s', (_way, callErrbacks, text) => {
  it('does not keep the failure of a task, and is told to who marks it', async () => {
    open({ callErrbacks });
    const request = { errbacks: [{ task: 'app.on_error' }] };
    const error = await backend.markAsFailure('t', new Error('x'), { request }).catch((reason: unknown) => reason);
    expect(String(error)).toContain(text);
    await expect(backend.getTaskMeta('t')).resolves.toMatchObject({ status: 'FAILURE', result: { message: 'x' } });
  });

  it('does not keep the failure of the body of a chord, and is warned of', async () => {
    using warnings = recording('celery-redis-backend:warning');
    open({ applySignature: () => Promise.resolve(), callErrbacks });
    await backend.setChordSize('group', 1);
    await expect(backend.markAsFailure('part', new Error('x'), { request: PART })).resolves.toBe('stored');
    await expect(backend.waitFor('body')).rejects.toMatchObject({ code: 'CELERY_CHORD' });
    expect(warnings.told).toEqual([
      {
        code: 'CELERY_ERRBACKS_UNSENT',
        message: expect.stringMatching(/^The error callbacks of .*body.*[" ]no broker/),
      },
    ]);
  });
});

describe('at close', () => {
  const never = (): Promise<never> => new Promise<never>(() => undefined);

  it.each([
    [
      'an applySignature',
      { applySignature: never },
      (): Promise<unknown> => backend.markAsDone('part', 1, { request: PART }),
    ],
    [
      'a callErrbacks',
      { callErrbacks: never },
      (): Promise<unknown> =>
        backend.markAsFailure('part', new Error('x'), { request: { errbacks: [{ task: 'app.on_error' }] } }),
    ],
    [
      'a callErrbacks of a chord body',
      { applySignature: never, callErrbacks: never },
      (): Promise<unknown> => backend.markAsFailure('part', new Error('x'), { request: PART }),
    ],
  ] as const)('%s that never ends is waited for until closeTimeout, and no longer', async (title, app, mark) => {
    open(app, { closeTimeout: 4 });
    await backend.setChordSize('group', 1);
    const marked = mark().then(
      (outcome) => outcome,
      (error: unknown) => error,
    );
    await settle();
    let closed = false;
    const closing = backend.close().then(() => {
      closed = true;
    });
    await clock.advance(3_999);
    expect(closed).toBe(false);
    await clock.advance(1);
    await closing;
    const error = (await marked) as BackendError;
    // That of a body is over when its errback is given up; what follows is a call that comes too late.
    const reason = title.endsWith('body') ? error.cause : error;
    expect(reason).toBeInstanceOf(BackendClosedError);
  });
});
