/** What doctor says of facts, those that no server here can be brought to among them. */
import { describe, expect, it } from '@jest/globals';
import type { Check } from '../../../src/cli/doctor/check.ts';
import { type Facts, parseInfo } from '../../../src/cli/doctor/facts.ts';
import { needsOf, ROLES } from '../../../src/cli/doctor/needs.ts';
import { judgeRounds } from '../../../src/cli/doctor/round-trip.ts';
import { checkServer } from '../../../src/cli/doctor/server-checks.ts';
import { documentedRules, documentedUser } from '../../support/acl.ts';

const INFO = { redis_version: '7.0.15', role: 'master', connected_slaves: '1', maxmemory: '0', maxmemory_policy: 'noeviction', used_memory: '1000', aof_enabled: '1' } as const; // prettier-ignore
const CONFIG = { 'maxmemory': '0', 'maxmemory-policy': 'noeviction', 'appendonly': 'yes', 'save': '3600 1', 'client-output-buffer-limit': 'normal 0 0 0 pubsub 33554432 8388608 60' } as const; // prettier-ignore

function facts(info: object | undefined, config: object | undefined, clock?: Facts['clock']): Facts {
  const mapOf = (bag: object | undefined): ReadonlyMap<string, string> | undefined =>
    bag && new Map(Object.entries(bag) as [string, string][]);
  return {
    info: mapOf(info),
    config: mapOf(config),
    clock: clock ?? { offsetMs: 3, errorMs: 1 },
    user: 'me',
    open: false,
  };
}

function check(name: string, given: Facts, kind: Parameters<typeof checkServer>[1] = 'server'): Check | undefined {
  return checkServer(given, kind).find((each) => each.check === name);
}

describe('a server', () => {
  it('that is well has nothing to change', () => {
    const checks = checkServer(facts(INFO, CONFIG), 'server');
    expect(checks.map(({ status }) => status)).toEqual(Array(6).fill('ok'));
    expect(checks.filter(({ change }) => change !== undefined)).toEqual([]);
  });

  it('that tells nothing is unknown, and no failure', () => {
    const checks = checkServer(
      { info: undefined, config: undefined, clock: undefined, user: undefined, open: false },
      'server',
    );
    expect(checks.map(({ status }) => status)).toEqual(Array(6).fill('unknown'));
  });

  it.each<[string, string, string, object, object]>([
    ['version', 'fail', 'Redis 5.0.7', { redis_version: '5.0.7' }, {}],
    ['version', 'warn', 'Redis 6.0.16', { redis_version: '6.0.16' }, {}],
    ['version', 'ok', 'Valkey 8.0.1', { valkey_version: '8.0.1', redis_version: '7.2.4' }, {}],
    ['role', 'fail', 'slave', { role: 'slave', master_host: 'm', master_port: '1' }, {}],
    ['role', 'fail', 'node of a cluster', { cluster_enabled: '1' }, {}],
    ['eviction', 'fail', 'allkeys-lfu', {}, { maxmemory: '1048576', 'maxmemory-policy': 'allkeys-lfu' }],
    ['eviction', 'warn', 'allkeys-lfu', {}, { 'maxmemory-policy': 'allkeys-lfu' }],
    ['eviction', 'warn', 'volatile-lru', {}, { maxmemory: '1048576', 'maxmemory-policy': 'volatile-lru' }],
    ['eviction', 'warn', '1 MiB', { used_memory: '1000000' }, { maxmemory: '1048576' }],
    ['persistence', 'fail', 'appendonly yes', { rdb_last_bgsave_status: 'err' }, {}],
    ['persistence', 'ok', 'save 3600 1', {}, { appendonly: 'no' }],
    ['persistence', 'warn', 'no snapshots', {}, { appendonly: 'no', save: '' }],
    ['output-buffer', 'warn', 'without a limit', {}, { 'client-output-buffer-limit': 'pubsub 0 0 0' }],
    ['output-buffer', 'warn', '1 MiB', {}, { 'client-output-buffer-limit': 'pubsub 1048576 0 0' }],
    ['output-buffer', 'ok', '8 MiB for 60 s', {}, { 'client-output-buffer-limit': 'pubsub 0 8388608 60' }],
  ])('has the check %s: %s, %s', (name, status, found, info, config) => {
    const result = check(name, facts({ ...INFO, ...info }, { ...CONFIG, ...config }));
    expect(result).toMatchObject({ status, found: expect.stringContaining(found) });
    expect(result?.change === undefined).toBe(status === 'ok' && !found.startsWith('save'));
  });

  it('is known by INFO alone where CONFIG may not be used', () => {
    const checks = checkServer(
      facts({ ...INFO, maxmemory: '5', maxmemory_policy: 'allkeys-lru' }, undefined),
      'cluster',
    );
    expect(Object.fromEntries(checks.map(({ check: name, status }) => [name, status]))).toEqual({
      version: 'ok',
      role: 'ok',
      eviction: 'fail',
      persistence: 'ok',
      'output-buffer': 'unknown',
      clock: 'ok',
    });
  });

  it.each([
    [5000, 10, 'warn', '5.0 s ahead of'],
    [-5000, 10, 'warn', '5.0 s behind'],
    [1500, 800, 'ok', 'ahead'],
    [-900, 0, 'ok', 'within a second'],
  ])('has a clock that is off by %i ms, give or take %i: %s', (offsetMs, errorMs, status, found) => {
    const result = check('clock', facts(INFO, CONFIG, { offsetMs, errorMs }));
    expect(result).toMatchObject({ status, found: expect.stringContaining(found) });
  });
});

it('parseInfo reads the fields', () => {
  expect([...parseInfo('# Server\r\nredis_version:7.0.15\r\nexecutable:/a:b\r\n\r\nempty:\r\n')]).toEqual([
    ['redis_version', '7.0.15'],
    ['executable', '/a:b'],
    ['empty', ''],
  ]);
});

describe('a round trip', () => {
  const round = { ms: 1, outcome: 'stored', by: 'message' } as const;

  it('is the median of all but the first, or what went wrong', () => {
    const well = judgeRounds([{ ...round, ms: 900 }, { ...round, ms: 3 }, round, { ...round, ms: 2 }]);
    expect(well).toMatchObject({ status: 'ok', found: expect.stringMatching(/^2\.00 ms .*longest 3\.00 ms/) });
    expect(judgeRounds([round, { ...round, ms: 300 }])).toMatchObject({ status: 'warn' });
    expect(judgeRounds([{ ...round, outcome: 'unannounced' }])).toMatchObject({
      status: 'fail',
      change: expect.stringContaining('+publish'),
    });
    expect(judgeRounds([{ ...round, by: 'backstop' }])).toMatchObject({
      status: 'fail',
      change: expect.stringContaining('+subscribe'),
    });
  });
});

describe('the permissions that doctor asks for', () => {
  const names = { task: 'task', size: 'size', added: 'added', parts: 'parts' };
  const users = { both: 'results', worker: 'results-writer', producer: 'results-reader' };

  it.each(ROLES)('are those of the documented user, for %s', (role) => {
    const rules = needsOf(role, names, false).map(({ words: [command, word = ''] }) =>
      command === 'CLIENT' ? `+client|${word.toLowerCase()}` : `+${command.toLowerCase()}`,
    );
    const documented = documentedUser(users[role]).rules.filter((rule) => rule.startsWith('+'));
    expect([...new Set(rules)].sort()).toEqual([...documented].sort());
  });

  it('are more on a cluster', () => {
    const more = needsOf('both', names, true).length - needsOf('both', names, false).length;
    expect(documentedRules('a cluster')).toHaveLength(more);
  });
});
