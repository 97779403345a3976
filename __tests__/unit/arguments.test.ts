import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type InvalidArgumentError, RedisBackend } from '../../src/index.ts';
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
