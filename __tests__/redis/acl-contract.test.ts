/** The contract as the user of docs/security.md, who may do what that line says and no more. */
import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { denials, documentedRules, documentedUser, loginOf, setUser, withRules } from '../support/acl.ts';
import { describeBackend } from '../support/contract/index.ts';
import { rawRedis } from '../support/contract/raw-redis.ts';
import { RedisServer } from '../support/redis.ts';

const plain = documentedUser('results');
const patterns = plain.rules.filter((rule) => /^[~&]/.test(rule));
/** The contract has tests of prefixes, and of chords that are lists. */
const user = withRules(
  plain,
  ...documentedRules('chords with `chordOrdered: false`'),
  ...['mine_', 'other:'].flatMap((prefix) => patterns.map((rule) => `${rule.slice(0, 1)}${prefix}${rule.slice(1)}`)),
);

describeBackend('the Redis driver, as the documented user', async () => {
  const server = await RedisServer.start();
  await setUser(server, user);
  const { url } = server;
  return rawRedis({ url: url.replace('//', `//${loginOf(user)}`) }, new Redis(url), new Redis(url), async () => {
    const refused = await denials(server);
    await server.stop();
    // ioredis ignores this one, of a Redis that has the command.
    expect(refused.filter((each) => !each.includes('client|setinfo'))).toEqual([]);
  });
});
