/** `doctor` on real servers: what it finds, what it says to change, and that this is what changes it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { tmpdir } from 'node:os';
import { documentedRules, documentedUser, loginOf, setUser, withRules } from '../support/acl.ts';
import { runCli } from '../support/cli.ts';
import { ClusterDeployment } from '../support/cluster.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';

// Each run is a process of its own, which has to load Node and the package.
jest.setTimeout(240_000);

interface Found {
  readonly check: string;
  readonly status: string;
  readonly node?: string;
  readonly found: string;
  readonly means: string;
  readonly change?: string;
}

interface Examined {
  readonly code: number | null;
  readonly checks: readonly Found[];
  /** `ok`, `warn`, `fail` or `unknown`, by check. */
  readonly states: Readonly<Record<string, string>>;
}

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli('FLUSHALL');
});

async function examine(url: string, ...words: readonly string[]): Promise<Examined> {
  const { code, out, err } = await runCli(['doctor', '--json', '--url', url, ...words], { cwd: tmpdir() });
  expect(err).toBe('');
  const checks = out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Found);
  return { code, checks, states: Object.fromEntries(checks.map(({ check, status }) => [check, status])) };
}

const find = ({ checks }: Examined, name: string): Found | undefined => checks.find(({ check }) => check === name);
const urlFor = (login: string): string => `redis://${login}127.0.0.1:${server.port}/0`;

/** Types a command of the report into Redis, as redis-cli would. */
async function type(command = ''): Promise<void> {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  const [first = '', ...others] = words;
  await server.cli(first, ...others);
}

describe('doctor', () => {
  it('runs every check, makes a round trip, leaves nothing behind, and ends with 0 when none fails', async () => {
    const examined = await examine(server.url);
    expect(examined.code).toBe(0);
    expect(examined.states).toEqual({
      url: 'ok',
      reach: 'ok',
      login: 'warn',
      permissions: 'ok',
      'permissions-comfort': 'ok',
      'permissions-groups': 'ok',
      version: 'ok',
      role: 'ok',
      eviction: 'ok',
      persistence: 'warn',
      'output-buffer': 'ok',
      clock: 'ok',
      'round-trip': 'ok',
    });
    expect(find(examined, 'round-trip')?.found).toMatch(/^\d+\.\d\d ms from a store to the wake/);
    expect(find(examined, 'permissions')?.found).toContain('ACL DRYRUN');
    for (const { means } of examined.checks) expect(means).not.toBe('');
    expect(await server.cli('KEYS', '*')).toEqual([]);
  });

  it.each<[string, string[][], string, string]>([
    [
      'allkeys-lru with a limit',
      [
        ['maxmemory', '100mb'],
        ['maxmemory-policy', 'allkeys-lru'],
      ],
      'eviction',
      'fail',
    ],
    ['volatile-ttl', [['maxmemory-policy', 'volatile-ttl']], 'eviction', 'warn'],
    [
      'no persistence',
      [
        ['save', ''],
        ['appendonly', 'no'],
      ],
      'persistence',
      'warn',
    ],
    ['a small buffer', [['client-output-buffer-limit', 'pubsub 1000000 100000 60']], 'output-buffer', 'warn'],
    ['a buffer without a limit', [['client-output-buffer-limit', 'pubsub 0 0 0']], 'output-buffer', 'warn'],
  ])('finds %s, and its command is the remedy', async (_, settings, check, status) => {
    for (const [name = '', value = ''] of settings) await server.cli('CONFIG', 'SET', name, value);
    const sick = await examine(server.url);
    expect([sick.states[check], sick.code]).toEqual([status, status === 'fail' ? 4 : 0]);
    await type(find(sick, check)?.change);
    const well = await examine(server.url);
    expect([well.states[check], well.code]).toEqual(['ok', 0]);
    await server.cli('CONFIG', 'SET', 'maxmemory', '0');
    await server.cli('CONFIG', 'SET', 'appendonly', 'no');
  });

  it('finds a replica, and a node of a cluster behind a URL of one server', async () => {
    await using replica = await RedisServer.start(['--replicaof', `127.0.0.1 ${server.port}`]);
    const examined = await examine(replica.url);
    expect([examined.code, examined.states['role']]).toEqual([4, 'fail']);
    expect(find(examined, 'role')?.change).toContain(`127.0.0.1:${server.port}`);
    await using node = await RedisServer.start([
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      String(await freePort()),
    ]);
    const other = await examine(node.url);
    expect([other.code, other.states['role']]).toEqual([4, 'fail']);
    expect(find(other, 'role')?.change).toContain('redis+cluster://');
  });
});

describe('doctor, of a user with few permissions', () => {
  it.each([
    ['results', 'both'],
    ['results-writer', 'worker'],
    ['results-reader', 'producer'],
  ])('%s of docs/security.md is enough for %s; what it may not look at is unknown', async (name, role) => {
    const user = documentedUser(name);
    await setUser(server, user);
    const examined = await examine(urlFor(loginOf(user)), '--role', role);
    expect(examined.code).toBe(0);
    expect(examined.states).toMatchObject({ permissions: 'ok', 'output-buffer': 'unknown', clock: 'unknown' });
    expect(examined.states['round-trip']).toBe(role === 'both' ? 'ok' : 'unknown');
    expect(find(examined, 'permissions')?.found).toContain('by trying');
    const left = (await server.cli('KEYS', '*')) as string[];
    // A writer may not delete what it tried to store.
    if (role !== 'worker') expect(left).toEqual([]);
    for (const key of left) expect(await server.cli('TTL', key)).not.toBe(-1);
  });

  it.each([
    ['+getrange', 'permissions', 'fail'],
    ['+publish', 'permissions', 'fail'],
    ['~celery-task-meta-*', 'permissions', 'fail'],
    ['+mget', 'permissions-comfort', 'warn'],
    ['+zadd', 'permissions-groups', 'warn'],
    ['~celery-taskset-meta-*', 'permissions-groups', 'warn'],
  ])(
    'finds that %s is missing, by trying and by ACL DRYRUN, and its command is the remedy',
    async (rule, check, status) => {
      const user = documentedUser('results');
      for (const more of [[], ['+acl|dryrun', '+acl|whoami']]) {
        await setUser(server, withRules(user, ...more), [rule]);
        const sick = await examine(urlFor(loginOf(user)));
        expect(find(sick, check)?.found).toContain(more.length > 0 ? 'ACL DRYRUN' : 'by trying');
        expect([sick.states[check], sick.code]).toEqual([status, status === 'fail' ? 4 : 0]);
        expect(find(sick, check)?.change).toContain(rule);
        await type(find(sick, check)?.change);
        const well = await examine(urlFor(loginOf(user)));
        expect([well.states[check], well.code]).toEqual(['ok', 0]);
      }
    },
  );

  it.each(['+subscribe', '&celery-task-meta-*'])('without %s finds that no message arrives', async (rule) => {
    const user = documentedUser('results');
    await setUser(server, user, [rule]);
    const { code, out } = await runCli(['doctor', '--url', urlFor(loginOf(user))], { cwd: tmpdir() });
    expect([code, out]).toEqual([4, expect.stringMatching(/^fail\tround-trip\t.*ACL SETUSER results /m)]);
  });
});

describe('doctor, with a password that nobody needs', () => {
  it('is not content that Redis took it', async () => {
    // ioredis 5 warns on standard error.
    const { code, out } = await runCli(['doctor', '--url', urlFor(':sesame-1234@')], { cwd: tmpdir() });
    expect([code, out]).toEqual([0, expect.stringMatching(/^warn\tlogin\tuser default; .*needs no password/m)]);
  });
});

describe('doctor, where it cannot get in', () => {
  it('finds a wrong password, a wrong port and a wrong URL, and shows no password', async () => {
    await setUser(server, documentedUser('results'));
    const login = await examine(urlFor('results:sesame-1234@'));
    expect([login.code, login.states]).toEqual([4, { url: 'ok', login: 'fail' }]);
    const url = `redis://results:sesame-1234@127.0.0.1:${await freePort()}/0`;
    const down = await runCli(['doctor', '--json', '--url', url, '--connect-timeout', '0.2'], { cwd: tmpdir() });
    expect([down.code, down.out]).toEqual([4, expect.stringContaining('"check":"reach","status":"fail"')]);
    const plain = await runCli(['doctor', '--url', url, '--connect-timeout', '0.2'], { cwd: tmpdir() });
    expect(plain.out).toMatch(/^fail\treach\t.*\); stores/m);
    const wrong = await examine('redis://results:sesame-1234@host:port/0');
    expect([wrong.code, wrong.states]).toEqual([4, { url: 'fail' }]);
    expect(JSON.stringify([login, down, wrong])).not.toContain('sesame');
  });
});

describe('doctor, of several servers', () => {
  it('examines every master of a cluster', async () => {
    await using cluster = await ClusterDeployment.start();
    const examined = await examine(cluster.url());
    expect(examined.code).toBe(0);
    expect(examined.checks.filter(({ check }) => check === 'eviction').map(({ node }) => node)).toHaveLength(3);
    expect(examined.states['round-trip']).toBe('ok');
    const user = withRules(documentedUser('results'), ...documentedRules('a cluster'));
    for (const master of cluster.masters) await setUser(master, user);
    const few = await examine(cluster.url(loginOf(user)));
    expect([few.code, few.states['permissions']]).toEqual([0, 'ok']);
    for (const master of cluster.masters) expect(await master.cli('KEYS', '*')).toEqual([]);
    const [first] = cluster.masters;
    if (first) await setUser(first, user, ['+getrange']);
    const lacking = await examine(cluster.url(loginOf(user)));
    expect(lacking.checks.filter(({ check, status }) => check === 'permissions' && status === 'fail')).toMatchObject([
      { node: `127.0.0.1:${first?.port ?? 0}`, change: 'ACL SETUSER results +getrange' },
    ]);
  });

  it('examines the master that sentinels name', async () => {
    await using deployment = await SentinelDeployment.start();
    const url = deployment.url().replace(/$/, '?master_name=mymaster');
    const examined = await examine(url);
    expect(examined.code).toBe(0);
    expect(examined.states).toMatchObject({ role: 'ok', 'round-trip': 'ok' });
    expect(find(examined, 'role')?.found).toContain('master with 1 replicas');
  });
});
