import { describe, expect, it } from '@jest/globals';
import { RedisBackend } from '../../src/index.ts';
import { ScriptedRedis } from '../support/scripted-redis.ts';

/** What gets its usual answer. ioredis itself throws, past all of its callers, over a strange one to SUBSCRIBE. */
const USUAL = new Set(['INFO', 'CLIENT', 'SELECT', 'PING', 'HELLO', 'SUBSCRIBE', 'UNSUBSCRIBE']);

describe('what answers as no Redis would', () => {
  it.each([
    ':1',
    '+OK',
    '*0',
    '*-1',
    '$-1',
    '*1\r\n:1',
    '*3\r\n$9\r\nsubscribe\r\n:1\r\n:1',
    '-',
    '?',
    '*3\r\n+message\r\n:1\r\n:1',
  ])('ends calls by errors of this package, and no process: %j', async (reply) => {
    await using server = await ScriptedRedis.start();
    server.answer = ([name = '']) => (USUAL.has(name.toUpperCase()) ? undefined : reply);
    const backend = new RedisBackend(
      {},
      { url: server.url, commandTimeout: 0.5, lastLook: 0.1, retryPolicy: { maxRetries: 1, intervalStart: 0 } },
    );
    const outcomes = await Promise.allSettled([
      backend.storeResult('a', 1, 'SUCCESS'),
      backend.getTaskMeta('b'),
      backend.getMany(['c', 'd']),
      backend.waitFor('e', { timeout: 0.5 }),
      backend.forget('f'),
    ]);
    await backend.close();
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: expect.stringMatching(/^CELERY_/) });
    }
    expect(outcomes[3].status).toBe('rejected');
  });
});
