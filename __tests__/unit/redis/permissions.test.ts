import { describe, expect, it } from '@jest/globals';
import { describeUser, refused, replyOf } from '../../../src/redis/errors.ts';
import { grantFor } from '../../../src/redis/permissions.ts';
import { UNGUARDED_WRITE } from '../../../src/redis/scripts.ts';

const IN_SCRIPT = 'ERR The user executing the script can';
const key = 'celery-task-meta-1';
const channel = key;
const { lua } = UNGUARDED_WRITE;

/** Texts of Redis 6, 7.0 and, where it differs, 7.2. */
const DENIALS: readonly (readonly [message: string, rules: string])[] = [
  ["NOPERM this user has no permissions to run the 'get' command", '+get'],
  ["NOPERM this user has no permissions to run the 'get' command or its subcommand", '+get'],
  ["NOPERM User results has no permissions to run the 'cluster|slots' command", '+cluster|slots'],
  ["NOPERM this user has no permissions to run the 'EVALSHA' command", '+eval +evalsha'],
  ['NOPERM this user has no permissions to access one of the keys used as arguments', '~celery-task-meta-*'],
  ['NOPERM No permissions to access a key', '~celery-task-meta-*'],
  ['NOPERM this user has no permissions to access one of the channels used as arguments', '&celery-task-meta-*'],
  ['NOPERM No permissions to access a channel', '&celery-task-meta-*'],
  [`${IN_SCRIPT}'t run this command or subcommand`, '+publish +set +setex'],
  [`${IN_SCRIPT}'t access at least one of the keys mentioned in the command arguments`, '~celery-task-meta-*'],
  [`${IN_SCRIPT}'t publish to the channel mentioned in the command`, '&celery-task-meta-*'],
  ["ERR ACL failure in script: User results has no permissions to run the 'setex' command", '+setex'],
];

describe('a missing permission', () => {
  it.each(DENIALS)('%s is granted by %s', (message, rules) => {
    expect(grantFor(message, { key, channel, lua })).toBe(`ACL SETUSER <user> ${rules}`);
    const error = Object.assign(new Error(message), { name: 'ReplyError' });
    expect(replyOf(error)).toBe('NOPERM');
    expect(refused('a call', error, { key, channel, lua })).toMatchObject({
      reply: 'NOPERM',
      message: `Redis refused a call: ${message} (allow it: ACL SETUSER <user> ${rules})`,
    });
  });

  it('is told with the user who asked, by a name that is fit to be shown', () => {
    const error = Object.assign(new Error('NOPERM no'), { name: 'ReplyError' });
    const messageFor = (name: string | null): string => refused('a call', error, { user: describeUser(name) }).message;
    expect(messageFor('worker')).toBe("Redis refused a call for user 'worker': NOPERM no");
    expect(messageFor(null)).toBe('Redis refused a call for the default user: NOPERM no');
    expect(messageFor('')).toBe('Redis refused a call for the default user: NOPERM no');
    expect(messageFor(`a\n\x1b${'b'.repeat(1_000)}`)).toBe(
      `Redis refused a call for user 'a ${'b'.repeat(62)}': NOPERM no`,
    );
    const wrongType = Object.assign(new Error('WRONGTYPE no'), { name: 'ReplyError' });
    expect(refused('a call', wrongType, { user: describeUser('worker') }).message).toBe(
      'Redis refused a call: WRONGTYPE no',
    );
  });

  it('is told as it is where the rule is not known', () => {
    const message = 'NOPERM No permissions to access a key';
    expect(grantFor(message)).toBeUndefined();
    expect(grantFor('NOPERM something else')).toBeUndefined();
  });

  it('is told with the prefix of a key, and for a key of another kind with all of it', () => {
    const message = 'NOPERM No permissions to access a key';
    expect(grantFor(message, { key: 'shop:celery-taskset-meta-1.j' })).toMatch(/ ~shop:celery-taskset-meta-\*$/);
    expect(grantFor(message, { key: 'celery-task-meta-celery-task-meta-1' })).toMatch(/ ~celery-task-meta-\*$/);
    expect(grantFor(message, { key: 'other' })).toMatch(/ ~other$/);
  });

  it.each(['WRONGTYPE Operation against a key', "ERR unknown command 'get'", 'LOADING'])('is not %s', (message) => {
    expect(grantFor(message, { key, lua })).toBeUndefined();
  });
});
