/** What a user is told whose permissions do not suffice, for each rule of the documented line. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { type AclUser, denials, documentedRules, documentedUser, loginOf, setUser, withRules } from '../support/acl.ts';
import { DriverUnderTest, eventually } from '../support/driver.ts';
import { failure } from '../support/failure.ts';
import { RedisServer } from '../support/redis.ts';

const full = documentedUser('results');
const LIST = documentedRules('chords with `chordOrdered: false`');

let server: RedisServer;
const backends: RedisBackend[] = [];
const warnings: string[] = [];
const onWarning = (message: unknown): void => {
  warnings.push((message as { message: string }).message);
};

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli('FLUSHALL');
  await server.cli('SCRIPT', 'FLUSH');
  await server.cli('ACL', 'LOG', 'RESET');
  subscribe('celery-redis-backend:warning', onWarning);
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  unsubscribe('celery-redis-backend:warning', onWarning);
  warnings.length = 0;
});

const urlOf = (user: AclUser, db = 0): string => `redis://${loginOf(user)}127.0.0.1:${server.port}/${db}`;

function open(url: string, options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url, ...options });
  backends.push(backend);
  return backend;
}

/** A backend of the user, who lacks these rules. */
async function lacking(user: AclUser, without: readonly string[], options?: BackendOptions): Promise<RedisBackend> {
  await setUser(server, user, without);
  return open(urlOf(user), options);
}

/** Everything that a worker does with a chord, up to the first refusal. */
async function chord(url: string, ordered: boolean): Promise<void> {
  await using test = new DriverUnderTest({ url });
  const { chords } = test.driver;
  const group = 'celery-taskset-meta-g';
  const keys = { parts: `${group}.j`, added: `${group}.t`, size: `${group}.s`, lock: `${group}.c` };
  const claim = { keys, ordered, token: 'me', leaseMs: 10_000 };
  const part = { ...claim, prefix: 'first', score: 0, ttl: 60 };
  await server.cli('SETEX', keys.size, 60, '1');
  await server.cli('SETEX', keys.added, 60, '1');
  await chords.record({ ...part, member: 'first once' });
  await chords.record({ ...part, member: 'first again' });
  await chords.record({ ...part, member: 'second', prefix: 'second' });
  await chords.takeOver(claim, true);
  await chords.renew(claim);
  await chords.members(keys, ordered);
  await chords.release(claim, true, 60);
  await chords.finish(keys);
}

const store = (backend: RedisBackend): Promise<string> => backend.storeResult('t', 1, 'SUCCESS');
const ordered = (): Promise<void> => chord(urlOf(full), true);
const list = (): Promise<void> => chord(urlOf(full), false);

/** What needs a rule, and fails without it. */
const CALLS: Readonly<Record<string, (backend: RedisBackend) => Promise<unknown>>> = {
  '+ping': (backend) => backend.connect(),
  '+eval': store,
  '+evalsha': (backend) => store(backend).then(() => store(backend)),
  '+getrange': store,
  '+get': (backend) => backend.getTaskMeta('t'),
  '+set': ordered,
  '+setex': store,
  '+del': (backend) => backend.forget('t'),
  '+incrby': (backend) => backend.addToChord('g'),
  '+expire': ordered,
  '+pexpire': ordered,
  '+pttl': ordered,
  '+zadd': ordered,
  '+zcard': ordered,
  '+zrange': ordered,
  '+zrangebyscore': ordered,
  '+zrem': ordered,
  '+rpush': list,
  '+lrange': list,
  '+lset': list,
  '+llen': list,
  '~celery-task-meta-*': store,
  '~celery-taskset-meta-*': ordered,
};

/** Rules without which nothing fails. Each has tests of its own below. */
const QUIET = [
  '+info',
  '+client|setname',
  '+mget',
  '+publish',
  '+subscribe',
  '+unsubscribe',
  '&celery-task-meta-*',
  '&celery-taskset-meta-*',
];

describe('the documented user', () => {
  it('has no rule that is not tested here', () => {
    expect([...Object.keys(CALLS), ...QUIET].sort()).toEqual([...full.rules, ...LIST].sort());
  });

  it.each(Object.keys(CALLS))('without %s gets an error that names it', async (rule) => {
    const backend = await lacking(withRules(full, ...LIST), [rule]);
    const error = await failure(CALLS[rule]?.(backend) ?? Promise.resolve());
    const cause = 'cause' in error && error.cause instanceof Error ? error.cause : error;
    const reply = [error, cause].flatMap((each) => ('reply' in each ? [each.reply] : []));
    expect(reply).toEqual(['NOPERM']);
    expect(error.message).toMatch(/\(allow it: ACL SETUSER <user> [^()]*\)/);
    expect(error.message).toContain(` for user '${full.name}'`);
    expect(error.message.replace(/\)\.?$/, '').split(' ')).toContain(rule);
  });

  it('that may only read the keys cannot store, and is told the pattern', async () => {
    const readOnly = full.rules.map((rule) => rule.replace(/^~/, '%R~'));
    const backend = await lacking({ ...full, rules: readOnly }, []);
    await expect(failure(store(backend))).resolves.toMatchObject({
      message: expect.stringContaining('(allow it: ACL SETUSER <user> ~celery-task-meta-*)'),
    });
    await expect(backend.getStatus('t')).resolves.toBe('PENDING');
  });

  it('is told the pattern with its prefix', async () => {
    const backend = await lacking(full, [], { globalKeyprefix: 'shop' });
    const { message } = await failure<Error>(store(backend));
    expect(message).toContain('(allow it: ACL SETUSER <user> ~shop_celery-task-meta-*)');
  });

  it('without +select is refused the login for another database, and is told so; with it all is well', async () => {
    const rules = documentedRules('a database other than 0');
    await setUser(server, full);
    const { message } = await failure<Error>(open(urlOf(full, 1)).connect({ timeout: 5 }));
    expect(message).toMatch(
      /refused the login for user '[\w-]+' \(NOPERM .*'select'.* \(allow it: ACL SETUSER <user> \+select\)\)\.$/,
    );
    await setUser(server, withRules(full, ...rules));
    await expect(store(open(urlOf(full, 1)))).resolves.toBe('stored');
  });

  it('without scripting gets an error that names +eval and +evalsha', async () => {
    await setUser(server, withRules(full, '-@scripting'));
    const { message } = await failure<Error>(store(open(urlOf(full))));
    expect(message).toMatch(/'eval' command \(allow it: ACL SETUSER <user> \+eval \+evalsha\)$/);
  });

  it('with +evalsha alone stores on, until Redis has lost the script', async () => {
    await setUser(server, full);
    const backend = open(urlOf(full));
    await store(backend);
    await server.cli('ACL', 'SETUSER', full.name, '-eval');
    await expect(store(backend)).resolves.toBe('kept');
    await server.cli('SCRIPT', 'FLUSH');
    const { message } = await failure<Error>(store(backend));
    expect(message).toMatch(/'eval' command \(allow it: ACL SETUSER <user> \+eval \+evalsha\)$/);
  });

  it('without +getrange or +get never overwrites a SUCCESS, by any serializer', async () => {
    for (const serializer of ['json', 'yaml', 'msgpack', 'superjson']) {
      for (const rule of ['+getrange', '+get']) {
        const admin = open(server.url, { serializer });
        const id = `${serializer}${rule}`;
        await admin.storeResult(id, 'first', 'SUCCESS');
        const backend = await lacking(full, [rule], { serializer });
        await backend.storeResult(id, new Error('second'), 'FAILURE').catch(() => undefined);
        await expect(open(server.url, { serializer }).getResult(id)).resolves.toBe('first');
      }
    }
  });

  it.each(['+publish', '&celery-task-meta-*'])('without %s stores unannounced, with a warning', async (rule) => {
    const backend = await lacking(full, [rule]);
    await expect(store(backend)).resolves.toBe('unannounced');
    expect(warnings).toEqual([expect.stringContaining('ACL SETUSER <user> +publish &celery-task-meta-*')]);
  });

  it('without the channels of groups saves them unannounced, with a warning', async () => {
    const backend = await lacking(full, ['&celery-taskset-meta-*']);
    await expect(backend.setChordSize('g', 2)).resolves.toBe('unannounced');
    expect(warnings).toEqual([expect.stringContaining('ACL SETUSER <user> +publish &celery-taskset-meta-*')]);
  });

  it.each(['+subscribe', '&celery-task-meta-*'])('without %s waits by the backstop, with a warning', async (rule) => {
    const backend = await lacking(full, [rule], { backstop: 0.05 });
    const waiting = backend.waitFor('t');
    await eventually(async () => (await denials(server)).length > 0);
    await store(open(server.url));
    await expect(waiting).resolves.toBe(1);
    expect(backend.stats().rescued).toBeLessThanOrEqual(1);
    expect(warnings).toEqual([expect.stringContaining(`(allow it: ACL SETUSER <user> ${rule})`)]);
  });

  it('without +unsubscribe waits as ever, with a warning', async () => {
    const backend = await lacking(full, ['+unsubscribe']);
    const waiting = backend.waitFor('t');
    await store(backend);
    await expect(waiting).resolves.toBe(1);
    await eventually(async () => (await denials(server)).length > 0 && warnings.length > 0);
    expect(warnings).toEqual([expect.stringContaining('(allow it: ACL SETUSER <user> +unsubscribe)')]);
    expect(backend.stats().channels).toBe(0);
  });

  it('without +mget reads all the same', async () => {
    const backend = await lacking(full, ['+mget']);
    await store(backend);
    const metas = await open(urlOf(full)).getMany(['t', 'u']);
    expect([...metas.values()].map(({ status }) => status)).toEqual(['SUCCESS', 'PENDING']);
  });

  it('without +ping keeps its connections: a refusal is a sign of life', async () => {
    const backend = await lacking(full, ['+ping'], { heartbeat: 0.02, deadAfter: 5 });
    const waiting = backend.waitFor('t');
    const refused = async (): Promise<number> =>
      Number(/cmdstat_ping:.*rejected_calls=(\d+)/.exec(String(await server.cli('INFO', 'commandstats')))?.[1] ?? 0);
    const before = await refused();
    await eventually(async () => (await refused()) > before + 10);
    await store(backend);
    await expect(waiting).resolves.toBe(1);
    expect(backend.stats().reconnects).toBe(0);
  });

  it('without +info and +client|setname works, unnamed, and ioredis names the one it misses', async () => {
    const said = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    try {
      const backend = await lacking(full, ['+info', '+client|setname']);
      await expect(store(backend)).resolves.toBe('stored');
      expect((await server.clients()).map(({ name }) => name)).toEqual(['']);
      expect(said.mock.calls.flat().join()).toMatch(/INFO command fails.*NOPERM/);
    } finally {
      said.mockRestore();
    }
  });
});

describe('the documented writer and reader', () => {
  const writer = documentedUser('results-writer');
  const reader = documentedUser('results-reader');

  it('do what they are for, without being refused anything', async () => {
    await setUser(server, writer);
    await setUser(server, reader);
    const [worker, producer] = [open(urlOf(writer)), open(urlOf(reader))];
    await producer.onTaskCall('t');
    await worker.markAsStarted('t', {});
    await worker.markAsDone('t', 1, { request: { id: 't' } });
    await expect(producer.waitFor('t')).resolves.toBe(1);
    await expect(producer.getMany(['t', 'u'])).resolves.toHaveProperty('size', 2);
    await expect(worker.storeResult('t', 2, 'FAILURE')).resolves.toBe('kept');
    expect((await denials(server)).filter((each) => !each.includes('setinfo'))).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['results-writer', 'forget', (backend: RedisBackend) => backend.forget('t')],
    ['results-writer', 'saveGroup', (backend: RedisBackend) => backend.saveGroup('g', [['g', null], []])],
    ['results-reader', 'storeResult', store],
    ['results-reader', 'forget', (backend: RedisBackend) => backend.forget('t')],
    ['results-reader', 'restoreGroup', (backend: RedisBackend) => backend.restoreGroup('g')],
  ])('%s cannot do what it is not for: %s', async (name, _title, call) => {
    const user = documentedUser(name);
    const backend = await lacking(user, []);
    await expect(failure(call(backend))).resolves.toHaveProperty('message', expect.stringContaining('allow it: ACL'));
  });

  it.each<[part: string, user: AclUser, call: (backend: RedisBackend) => Promise<unknown>, options?: BackendOptions]>([
    ['results that never expire', writer, store, { expires: null }],
    ['`forget`', reader, (backend) => backend.forget('t')],
    ['`saveGroup`', writer, (backend) => backend.saveGroup('g', [['g', null], []])],
    ['`saveGroup`', writer, (backend) => backend.setChordSize('g', 2)],
    ['`restoreGroup`', reader, (backend) => backend.restoreGroup('g')],
    ['`deleteGroup`', reader, (backend) => backend.deleteGroup('g')],
    ['`addToChord`', writer, (backend) => backend.addToChord('g')],
    ['chords, in a worker', writer, (backend) => chord(backend.asUri(true), true)],
  ])('may do as much as the row of a part adds: %s', async (part, user, call, options = {}) => {
    const refused = async (): Promise<readonly string[]> =>
      (await denials(server)).filter((each) => !each.includes('setinfo'));
    await setUser(server, user);
    await call(open(urlOf(user), options)).catch(() => undefined);
    expect(await refused()).not.toEqual([]);
    await server.cli('ACL', 'LOG', 'RESET');
    await setUser(server, withRules(user, ...documentedRules(part)));
    await expect(call(open(urlOf(user), options))).resolves.not.toBe('unannounced');
    expect(await refused()).toEqual([]);
  });
});
