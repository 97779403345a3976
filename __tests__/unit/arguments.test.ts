import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type InvalidArgumentError, RedisBackend } from '../../src/index.ts';
import { A_TURN, nextTurn } from '../../src/turns.ts';
import { failure } from '../support/failure.ts';

let backend: RedisBackend;

beforeEach(() => {
  backend = new RedisBackend({}, { url: 'memory://' });
});

afterEach(() => backend.close());

describe('a call with something else where its options belong', () => {
  const calls: Readonly<Record<string, (bag: never) => Promise<unknown>>> = {
    storeResult: (bag) => backend.storeResult('t', 1, 'SUCCESS', bag),
    markAsStarted: (bag) => backend.markAsStarted('t', {}, bag),
    markAsDone: (bag) => backend.markAsDone('t', 1, bag),
    markAsFailure: (bag) => backend.markAsFailure('t', new Error('no'), bag),
    markAsRetry: (bag) => backend.markAsRetry('t', null, bag),
    markAsRevoked: (bag) => backend.markAsRevoked('t', 'revoked', bag),
    waitFor: (bag) => backend.waitFor('t', bag),
    asCompleted: (bag) => backend.asCompleted(['t'], bag).next(),
    connect: (bag) => backend.connect(bag),
    onChordPartReturn: (bag) => backend.onChordPartReturn(bag, 'SUCCESS', 1),
  };

  it.each(Object.entries(calls))('is refused: %s', async (name, call) => {
    const what = name === 'onChordPartReturn' ? 'request' : 'options';
    for (const [bag, shown] of [
      [null, 'null'],
      ['text', '"text"'],
    ]) {
      const error = await failure<InvalidArgumentError>(call(bag as never));
      expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'CELERY_INVALID_ARGUMENT' });
      expect(error.message).toBe(`${what}: expected an object; got ${shown ?? ''}.`);
    }
  });
});

describe('a call for many tasks', () => {
  const many = (): string[] => Array.from({ length: 3 * A_TURN }, (_, i) => `t${i}`);
  const calls: Readonly<Record<string, (ids: string[]) => Promise<unknown>>> = {
    getMany: async (ids) => [...(await backend.getMany(ids)).keys()],
    waitForAll: (ids) => backend.waitForAll(ids),
  };

  it.each(Object.entries(calls))('takes their ids as they are now: %s', async (_name, call) => {
    const ids = many();
    await Promise.all(ids.map((id) => backend.storeResult(id, id, 'SUCCESS')));
    const end = call(ids);
    await nextTurn();
    ids.fill('another');
    expect(await end).toEqual(many());
  });

  it.each(Object.entries(calls))('looks at all of them before anything is sent: %s', async (_name, call) => {
    await backend.storeResult('t0', 1, 'SUCCESS');
    const error = await failure(call([...many(), '']));
    expect([error, backend.isCached('t0')]).toEqual([expect.objectContaining({ code: 'CELERY_INVALID_ID' }), false]);
  });

  it.each(Object.entries(calls))('is refused once the backend is closed meanwhile: %s', async (_name, call) => {
    const end = failure(call(many()));
    await backend.close();
    expect(await end).toMatchObject({ name: 'BackendClosedError' });
  });
});
