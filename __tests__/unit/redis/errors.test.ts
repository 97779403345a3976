import { describe, expect, it } from '@jest/globals';
import { BackendError } from '../../../src/errors.ts';
import { advice, refused, sanitise, unavailable } from '../../../src/redis/errors.ts';
import { isRetryable } from '../../../src/retry.ts';

function reply(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return Object.assign(error, { command: { name: 'auth', args: ['SECRET'] }, previousErrors: ['SECRET'] });
}

describe('an error of a call', () => {
  it.each([
    ['LOADING Redis is loading the dataset in memory', 'LOADING', true],
    ['BUSY Redis is busy running a script', 'BUSY', true],
    ['MISCONF Redis is configured to save RDB snapshots', 'MISCONF', true],
    ['NOREPLICAS Not enough good replicas to write.', 'NOREPLICAS', true],
    ['MASTERDOWN Link with MASTER is down', 'MASTERDOWN', true],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'TRYAGAIN', true],
    ['CLUSTERDOWN The cluster is down', 'CLUSTERDOWN', true],
    [
      "OOM command not allowed when used memory > 'maxmemory'. script: 0123456789012345678901234567890123456789, on @user_script:9.",
      'OOM',
      true,
    ],
    ["READONLY You can't write against a read only replica.", 'READONLY', true],
    [
      'ERR Error running script (call to f_0123): @user_script:3: @user_script: 3: -OOM command not allowed',
      'OOM',
      true,
    ],
    ['WRONGTYPE Operation against a key', 'WRONGTYPE', false],
    ['NOPERM this user has no permissions', 'NOPERM', false],
    ['ERR invalid expire time', 'ERR', false],
    ['no code at all', 'ERR', false],
  ])('%s has its first word, and whether to try again', (message, word, retryable) => {
    const error = refused('GET key', reply(message));
    expect(error).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: word });
    expect(error.message).not.toMatch(/user_script|script:/);
    expect(isRetryable(error)).toBe(retryable);
  });

  it.each([
    'MOVED 3999 127.0.0.1:6381',
    'ASK 3999 127.0.0.1:6381',
    "CROSSSLOT Keys in request don't hash to the same slot",
  ])('%s says how to connect to a cluster', (message) => {
    expect(refused('GET key', reply(message)).message).toBe(
      `Redis refused GET key: ${message} (this is a node of a cluster: connect with redis+cluster://)`,
    );
  });

  it('without an answer is worth a retry, and one that is not ours is not', () => {
    expect(isRetryable(unavailable('away'))).toBe(true);
    expect(isRetryable(new BackendError('other'))).toBe(false);
    expect(isRetryable(new Error('other'))).toBe(false);
    expect(isRetryable(undefined)).toBe(false);
  });

  it('has a cause with the message and the code, and nothing else', () => {
    const copy = sanitise(Object.assign(reply('ERR no'), { code: 'EXAMPLE', syscall: 'x' }));
    expect(Object.entries(copy).sort()).toEqual([
      ['code', 'EXAMPLE'],
      ['name', 'ReplyError'],
    ]);
    expect(copy.message).toBe('ERR no');
  });

  it('does not repeat the arguments that Redis repeats', () => {
    const error = reply("ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'SECRET'");
    expect(sanitise(error).message).toBe("ERR unknown command 'HELLO'");
  });

  it('is one line of bounded length', () => {
    expect(sanitise(reply('ERR a\r\nb\u001b[31m')).message).toBe('ERR a b [31m');
    expect(sanitise(reply(`ERR ${'x'.repeat(1000)}`)).message).toHaveLength(301);
  });

  it('has a message even where several addresses were refused', () => {
    const error = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    expect(sanitise(error).message).toBe('ECONNREFUSED');
    expect(advice(error)).toBe('ECONNREFUSED: is Redis running there?');
  });
});
