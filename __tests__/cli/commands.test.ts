/** The commands as a script uses them: the built program, in pipes, on a real server. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBackend } from '../../src/index.ts';
import { documentedUser, loginOf, setUser } from '../support/acl.ts';
import { type Ran, runCli, type RunOptions, runShell, startCli } from '../support/cli.ts';
import { ClusterDeployment } from '../support/cluster.ts';
import { eventually } from '../support/driver.ts';
import { freePort, RedisServer } from '../support/redis.ts';

// Each run is a process of its own, which has to load Node and the package.
jest.setTimeout(240_000);

let server: RedisServer;
let backend: RedisBackend;
let folder: string;

beforeAll(async () => {
  server = await RedisServer.start();
  backend = new RedisBackend({}, { url: server.url });
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-cli-'));
});
afterAll(async () => {
  await backend.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await server.cli('FLUSHALL');
});

/** With the server in the environment, in an empty folder. */
const here = (options: RunOptions = {}): RunOptions => ({
  cwd: folder,
  ...options,
  env: { CELERY_RESULT_BACKEND: server.url, ...options.env },
});
const run = (words: readonly string[], options?: RunOptions): Promise<Ran> => runCli(words, here(options));

const linesOf = ({ out }: Ran): string[] => out.split('\n').slice(0, -1);
const jsonOf = (ran: Ran): Record<string, unknown>[] =>
  linesOf(ran).map((line) => JSON.parse(line) as Record<string, unknown>);
const subscribers = async (id: string): Promise<number> =>
  ((await server.cli('PUBSUB', 'NUMSUB', `celery-task-meta-${id}`)) as [string, number])[1];

async function storeSome(): Promise<void> {
  await backend.storeResult('good', { total: 42 }, 'SUCCESS');
  await backend.storeResult('bad', new TypeError('no \u001b[31msuch sku'), 'FAILURE');
  await backend.storeResult('busy', { current: 1, total: 4 }, 'PROGRESS');
}

describe('get', () => {
  it('prints id, state and value of each in a line, in order; a failed task is exit code 1', async () => {
    await storeSome();
    const ran = await run(['get', 'busy', 'good', 'bad', 'none']);
    expect(linesOf(ran)).toEqual([
      'busy\tPROGRESS\t{"current":1,"total":4}',
      'good\tSUCCESS\t{"total":42}',
      'bad\tFAILURE\tTypeError: no such sku',
      'none\tPENDING\t',
    ]);
    expect([ran.code, ran.err]).toEqual([1, '']);
  });

  it('prints a line of JSON each, under the names of the wire', async () => {
    await storeSome();
    const ran = await run(['get', 'good', 'bad', '--json']);
    expect(jsonOf(ran)).toMatchObject([
      { task_id: 'good', status: 'SUCCESS', result: { total: 42 } },
      { task_id: 'bad', status: 'FAILURE', result: { exc_type: 'TypeError', exc_module: 'builtins' } },
    ]);
    expect(ran.out).not.toContain('\u001b');
  });

  it('prints values alone, and 0 is the exit code when nothing failed', async () => {
    await storeSome();
    expect(await run(['get', '--value', 'good'])).toEqual({ code: 0, out: '{"total":42}\n', err: '' });
  });

  it('reads ids from standard input, each once, up to a tab', async () => {
    await storeSome();
    const ran = await run(['get'], { input: 'good\tSUCCESS\n\nbusy\ngood\n' });
    expect(linesOf(ran).map((line) => line.split('\t')[0])).toEqual(['good', 'busy']);
    const mixed = await run(['status', 'bad', '-'], { input: 'good\n' });
    expect(linesOf(mixed)).toEqual(['bad\tFAILURE', 'good\tSUCCESS']);
  });

  it('tells of what cannot be read, goes on, and ends with 4', async () => {
    await storeSome();
    await server.cli('SET', 'celery-task-meta-odd', 'no JSON');
    const ran = await run(['get', 'odd', 'good']);
    expect([ran.code, linesOf(ran)]).toEqual([4, ['good\tSUCCESS\t{"total":42}']]);
    expect(ran.err).toContain('odd: ');
    const json = jsonOf(await run(['get', 'odd', 'good', '--json']));
    expect(json).toMatchObject([{ task_id: 'odd', error: { code: 'CELERY_DECODE' } }, { task_id: 'good' }]);
  });

  it('reads 3,000 ids in the order that they come', async () => {
    const ids = Array.from({ length: 3000 }, (_, index) => `t${index}`);
    const ran = await run(['status'], { input: ids.join('\n') });
    expect(linesOf(ran)).toEqual(ids.map((id) => `${id}\tPENDING`));
  });
});

describe('usage', () => {
  it.each<[string, string[]]>([
    ['no command', []],
    ['an unknown command', ['gett', 'a']],
    ['an unknown flag', ['get', 'a', '--what']],
    ['a wrong number', ['wait', 'a', '--timeout', 'soon']],
    ['a limit of 0', ['ls', '--limit', '0']],
    ['a wrong URL', ['get', 'a', '--url', 'http://localhost']],
    ['a URL of this process', ['get', 'a', '--url', 'memory://']],
    ['a wrong serializer', ['get', 'a', '--serializer', 'pickle']],
    ['a file of variables that is not there', ['get', 'a', '--dotenv', 'nowhere']],
    ['no ids, with nothing on standard input', ['get']],
    ['an id that is none', ['get', 'a\u0007']],
  ])('%s is exit code 2, and says why', async (_, words) => {
    const { code, out, err } = await run(words);
    expect([code, out]).toEqual([2, '']);
    expect(err).not.toBe('');
  });

  it('a line of the input that is no id is noted, the others are read, and 2 is the exit code', async () => {
    const ran = await run(['status'], { input: 'a\nb\u0007\nc\n' });
    expect([ran.code, linesOf(ran)]).toEqual([2, ['a\tPENDING', 'c\tPENDING']]);
    expect(ran.err).toContain('control character');
  });

  it('an empty input is well where - asks for it', async () => {
    expect(await run(['forget', '-'], { input: '' })).toEqual({ code: 0, out: '', err: '' });
  });

  it('a closed standard input is an empty one', async () => {
    const { code, err } = await runShell('$CLI get <&-', here());
    expect([code, err]).toEqual([2, expect.stringContaining('standard input')]);
  });

  it.each([['--help'], ['help'], ['wait', '--help']].map((words) => [words]))(
    '%j prints help and ends with 0',
    async (words) => {
      const { code, out, err } = await run(words);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain('--json');
    },
  );

  it('--version prints that of the package', async () => {
    expect((await run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('wait and watch', () => {
  it('prints each task once it is ready', async () => {
    const waiting = startCli(['wait', 'a', 'b'], here());
    await eventually(async () => (await subscribers('a')) + (await subscribers('b')) === 2);
    await backend.storeResult('b', 2, 'SUCCESS');
    await waiting.until('b\tSUCCESS\t2\n');
    await backend.storeResult('a', 1, 'PROGRESS');
    await backend.storeResult('a', 1, 'SUCCESS');
    expect(await waiting.ended).toEqual({ code: 0, out: 'b\tSUCCESS\t2\na\tSUCCESS\t1\n', err: '' });
  });

  it('ends with 1 when a task failed', async () => {
    await storeSome();
    expect((await run(['wait', 'good', 'bad'])).code).toBe(1);
  });

  it('ends with 3 at the limit, over 1, and has a line of JSON for each', async () => {
    await storeSome();
    const ran = await run(['wait', 'bad', 'busy', 'none', '--timeout', '0.5', '--json']);
    expect(ran.code).toBe(3);
    expect(jsonOf(ran).sort((a, b) => String(a['task_id']).localeCompare(String(b['task_id'])))).toMatchObject([
      { task_id: 'bad', status: 'FAILURE' },
      { task_id: 'busy', status: 'PROGRESS', result: { current: 1 }, error: { code: 'CELERY_TIMEOUT' } },
      { task_id: 'none', status: 'PENDING', error: { code: 'CELERY_TIMEOUT' } },
    ]);
    const plain = await run(['wait', 'none', '--timeout', '0']);
    expect([plain.code, plain.out]).toEqual([3, '']);
    expect(plain.err).toContain('Task none did not become ready in 0 s');
  });

  it('watches every state', async () => {
    await backend.storeResult('a', null, 'STARTED');
    const watching = startCli(['watch', 'a'], here());
    await watching.until('STARTED');
    await backend.storeResult('a', { current: 1, total: 2 }, 'PROGRESS');
    await watching.until('PROGRESS');
    await backend.storeResult('a', 'done', 'SUCCESS');
    const { code, out } = await watching.ended;
    expect([code, out]).toEqual([0, 'a\tSTARTED\t\na\tPROGRESS\t{"current":1,"total":2}\na\tSUCCESS\t"done"\n']);
  });

  it('awaits ids that come late', async () => {
    await backend.storeResult('a', 1, 'SUCCESS');
    await backend.storeResult('b', 2, 'SUCCESS');
    const line = '(echo a; read -r _ < <($CLI wait b); echo b) | $CLI wait -';
    const { out, code } = await runShell(line, here());
    expect([code, out]).toEqual([0, 'a\tSUCCESS\t1\nb\tSUCCESS\t2\n']);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends by %s with %i, and leaves no connection', async (signal, code) => {
    const waiting = startCli(['wait', 'a'], here());
    await eventually(async () => (await subscribers('a')) === 1);
    waiting.process.kill(signal);
    expect(await waiting.ended).toEqual({ code, out: '', err: '' });
    await eventually(async () => (await server.clients()).every(({ name }) => !name.endsWith(':cli')));
  });
});

describe('forget, group and ls', () => {
  it('forgets results, and saved groups', async () => {
    await storeSome();
    await backend.saveGroup('g', [['g', null], []]);
    expect((await run(['forget', 'good', 'bad'])).out).toBe('good\tforgotten\nbad\tforgotten\n');
    expect(jsonOf(await run(['forget', '--groups', 'g', '--json']))).toEqual([{ group_id: 'g', forgotten: true }]);
    expect(await server.cli('KEYS', '*')).toEqual(['celery-task-meta-busy']);
  });

  it('shows the members of a group, those of groups in it too', async () => {
    await storeSome();
    const inner = [['h', null], [[['bad', null], null]]] as const;
    await backend.saveGroup('g', [
      ['g', null],
      [[['good', null], null], inner, [['none', null], null]],
    ]);
    const ran = await run(['group', 'g']);
    expect([ran.code, linesOf(ran).map((line) => line.split('\t').slice(0, 2).join(' '))]).toEqual([
      1,
      ['good SUCCESS', 'bad FAILURE', 'none PENDING'],
    ]);
    expect(jsonOf(await run(['group', 'g', '--json']))).toMatchObject([
      { group_id: 'g', results: [{ task_id: 'good' }, { task_id: 'bad' }, { task_id: 'none' }] },
    ]);
  });

  it('a group that is not there is exit code 1', async () => {
    const { code, out, err } = await run(['group', 'g']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('no such group');
  });

  it('lists ids by SCAN, up to a limit, by pattern and by state, of a prefix that is a glob', async () => {
    const prefixed = new RedisBackend({}, { url: server.url, globalKeyprefix: 'a*[x]' });
    await prefixed.storeResult('other', 1, 'SUCCESS');
    await prefixed.close();
    await storeSome();
    await backend.saveGroup('g', [['g', null], []]);
    await backend.setChordSize('c', 2);
    await server.cli('CONFIG', 'RESETSTAT');
    expect(linesOf(await run(['ls'])).sort()).toEqual(['bad', 'busy', 'good']);
    expect(linesOf(await run(['ls', '--match', 'b*'])).sort()).toEqual(['bad', 'busy']);
    expect(linesOf(await run(['ls', '--state', 'FAILURE,PROGRESS'])).sort()).toEqual([
      'bad\tFAILURE',
      'busy\tPROGRESS',
    ]);
    expect(jsonOf(await run(['ls', '--groups', '--json']))).toEqual([{ group_id: 'g' }]);
    expect(linesOf(await run(['ls', '--key-prefix', 'a*[x]']))).toEqual(['other']);
    const some = await run(['ls', '--limit', '2']);
    expect([some.code, linesOf(some).length]).toEqual([0, 2]);
    expect(some.err).toContain('--limit');
    const stats = String(await server.cli('INFO', 'commandstats'));
    expect([stats.includes('cmdstat_scan:'), stats.includes('cmdstat_keys:')]).toEqual([true, false]);
  });

  it('lists the ids of every master of a cluster', async () => {
    await using cluster = await ClusterDeployment.start();
    const other = new RedisBackend({}, { url: cluster.url() });
    const ids = Array.from({ length: 60 }, (_, index) => `t${index}`);
    await Promise.all(ids.map((id) => other.storeResult(id, 1, 'SUCCESS')));
    await other.close();
    const ran = await run(['ls', '--url', cluster.url(), '--long']);
    expect(linesOf(ran).sort()).toEqual(ids.map((id) => `${id}\tSUCCESS`).sort());
  });
});

describe('pipes', () => {
  it('a reader that has enough is no failure', async () => {
    await Promise.all(
      Array.from({ length: 2000 }, (_, index) => backend.storeResult(`t${index}`, 'x'.repeat(200), 'SUCCESS')),
    );
    const line = 'set -o pipefail; $CLI ls -n 2000 | $CLI get | head -1 | wc -l';
    expect(await runShell(line, here())).toEqual({ code: 0, out: expect.stringMatching(/^ *1\n$/), err: '' });
  });

  it('has no colours, unless they are forced', async () => {
    await storeSome();
    expect((await run(['status', 'good'])).out).toBe('good\tSUCCESS\n');
    expect((await run(['status', 'good'], { env: { FORCE_COLOR: '1' } })).out).toContain('\u001b[32mSUCCESS');
  });
});

describe('configuration', () => {
  it('is that of flags over the environment over .env', async () => {
    await storeSome();
    const down = `redis://127.0.0.1:${await freePort()}/0`;
    const cwd = mkdtempSync(join(folder, 'env-'));
    writeFileSync(join(cwd, '.env'), `CELERY_RESULT_BACKEND=${server.url}\n`);
    const quick = ['--connect-timeout', '0.2'];
    const words = ['status', 'good', ...quick];
    expect((await runCli(words, { cwd })).code).toBe(0);
    expect((await runCli(words, { cwd, env: { CELERY_RESULT_BACKEND: down } })).code).toBe(4);
    const flags = [...words, '--url', server.url];
    expect((await runCli(flags, { cwd, env: { CELERY_RESULT_BACKEND: down } })).code).toBe(0);
    writeFileSync(join(cwd, 'other.env'), `CELERY_RESULT_BACKEND=${down}\n`);
    expect((await runCli([...words, '--dotenv', 'other.env'], { cwd })).code).toBe(4);
  });
});

describe('without Redis, or without its leave', () => {
  it('ends with 4 when nothing answers', async () => {
    const url = `redis://127.0.0.1:${await freePort()}/0`;
    for (const command of ['get', 'wait', 'ls']) {
      const words = [command, ...(command === 'ls' ? [] : ['a']), '--url', url, '--connect-timeout', '0.2'];
      const { code, out, err } = await run(words);
      expect([code, out]).toEqual([4, '']);
      expect(err).toContain('ECONNREFUSED');
    }
  });

  it('ends with 4 when the password is wrong', async () => {
    await setUser(server, documentedUser('results'));
    const { code, err } = await run(['get', 'a', '--url', `redis://results:sesame-1234@127.0.0.1:${server.port}/0`]);
    expect(code).toBe(4);
    expect(err).toContain('WRONGPASS');
    expect(err).not.toContain('sesame');
  });

  it('says what to grant to a user that may not list', async () => {
    const user = documentedUser('results-reader');
    await setUser(server, user);
    const url = `redis://${loginOf(user)}127.0.0.1:${server.port}/0`;
    const { code, err } = await run(['ls', '--url', url]);
    expect([code, err]).toEqual([4, expect.stringContaining('+scan')]);
    await storeSome();
    expect((await run(['wait', 'good', '--url', url])).out).toBe('good\tSUCCESS\t{"total":42}\n');
  });

  it.each<[string, (url: string) => string[]]>([
    ['as an unknown flag', (url) => [`--urll=${url}`, 'get', 'a']],
    ['as a command', (url) => [url]],
    ['as an id', (url) => ['get', url]],
    ['as seconds', (url) => ['wait', 'a', '--timeout', url]],
    ['as a file', (url) => ['get', 'a', '--dotenv', url]],
    ['as a serializer', (url) => ['get', 'a', '--serializer', url]],
    ['as a role', (url) => ['doctor', '--role', url]],
    ['as a prefix', (url) => ['get', 'a', '--key-prefix', url, '--url', `${url}&protocol=9x`]],
    ['with an option that is unknown', (url) => ['get', 'a', '--url', `${url}?sesame-1234=1`]],
    ['of Redis that is down', (url) => ['get', 'a', '--url', url, '--connect-timeout', '0.1']],
    ['of Redis that is down, in doctor', (url) => ['doctor', '--url', url, '--connect-timeout', '0.1', '--json']],
  ])('shows no password of a URL that stands %s', async (_, words) => {
    const ran = await run(words(`redis://user:sesame-1234@127.0.0.1:${await freePort()}`));
    expect(ran.code).not.toBe(0);
    expect(ran.out + ran.err).not.toContain('sesame');
  });
});
