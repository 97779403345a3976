/** Permissions that differ from key to key, and that change while they are in use. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { documentedUser, loginOf, setUser } from '../support/acl.ts';
import { eventually } from '../support/driver.ts';
import { failure } from '../support/failure.ts';
import { RedisServer } from '../support/redis.ts';

const user = documentedUser('results');
const CHANNELS = '&celery-task-meta-*';

let server: RedisServer;
let url: string;
const backends: RedisBackend[] = [];
const warnings: string[] = [];
const onWarning = (message: unknown): void => {
  warnings.push((message as { message: string }).message);
};

beforeAll(async () => {
  server = await RedisServer.start();
  url = server.url.replace('//', `//${loginOf(user)}`);
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli('FLUSHALL');
  await setUser(server, user);
  subscribe('celery-redis-backend:warning', onWarning);
});
afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  unsubscribe('celery-redis-backend:warning', onWarning);
  warnings.length = 0;
});

function open(options: BackendOptions = {}): RedisBackend {
  const backend = new RedisBackend({}, { url, ...options });
  backends.push(backend);
  return backend;
}

/** As another program would, which may do everything. */
const storeAsAnother = (id: string): Promise<unknown> => open({ url: server.url }).storeResult(id, id, 'SUCCESS');

const grant = (...rules: string[]): Promise<unknown> => server.cli('ACL', 'SETUSER', user.name, ...rules);

/** How many connections are subscribed to the channel of a task. */
async function subscribers(taskId: string): Promise<number> {
  return Number(((await server.cli('PUBSUB', 'NUMSUB', `celery-task-meta-${taskId}`)) as unknown[])[1]);
}

/** How often Redis refused a command. */
async function rejected(command: string): Promise<number> {
  const stats = String(await server.cli('INFO', 'commandstats'));
  return Number(new RegExp(`cmdstat_${command}:.*rejected_calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('a key that is forbidden', () => {
  beforeEach(async () => {
    await grant('resetkeys', '~celery-task-meta-a*');
  });

  it('fails its own read only, of those of one turn', async () => {
    const backend = open();
    await Promise.all(['a1', 'a2'].map((id) => backend.storeResult(id, id, 'SUCCESS')));
    const reader = open();
    const reads = await Promise.allSettled(['a1', 'b1', 'a2', 'a3'].map((id) => reader.getTaskMeta(id)));
    expect(reads).toMatchObject([
      { status: 'fulfilled', value: { result: 'a1' } },
      {
        status: 'rejected',
        reason: { message: expect.stringContaining("Redis refused GET celery-task-meta-b1 for user 'results': ") },
      },
      { status: 'fulfilled', value: { result: 'a2' } },
      { status: 'fulfilled', value: { status: 'PENDING' } },
    ]);
  });

  it('ends its own waits only, of those of one turn', async () => {
    const backend = open();
    const waits = ['a1', 'b1', 'a2'].map((id) => backend.waitFor<string>(id));
    const { message } = await failure<Error>(waits[1] ?? Promise.resolve());
    expect(message).toMatch(/^Cannot wait for task b1: .*\(allow it: ACL SETUSER <user> ~celery-task-meta-\*\)$/);
    await Promise.all(['a1', 'a2'].map((id) => open().storeResult(id, id, 'SUCCESS')));
    await expect(Promise.all([waits[0], waits[2]])).resolves.toEqual(['a1', 'a2']);
  });
});

describe('a channel that is withdrawn while it is in use', () => {
  it('leaves the wait to the backstop, with one warning and no further attempts', async () => {
    const backend = open({ backstop: 0.3 });
    const waits = ['t', 'u'].map((id) => backend.waitFor(id));
    await eventually(async () => (await subscribers('t')) + (await subscribers('u')) === 2);
    const before = await rejected('subscribe');
    await grant('resetchannels');
    await eventually(async () => (await rejected('subscribe')) >= before + 2);
    // Announced, but nobody may hear it.
    await Promise.all(['t', 'u'].map((id) => storeAsAnother(id)));
    await expect(Promise.all(waits)).resolves.toEqual(['t', 'u']);
    expect((await rejected('subscribe')) - before).toBe(2);
    expect(backend.stats()).toMatchObject({ reconnects: 1, rescued: 2 });
    expect(warnings.filter((each) => each.includes(`ACL SETUSER <user> ${CHANNELS}`))).toHaveLength(1);
  });

  it('that is granted again holds for new waits at once, for the others at the next reconnect', async () => {
    const backend = open({ backstop: 0 });
    await grant('resetchannels');
    const before = await rejected('subscribe');
    const old = backend.waitFor('old');
    await eventually(async () => (await rejected('subscribe')) > before);
    await grant(CHANNELS);
    const fresh = backend.waitFor('fresh');
    await eventually(async () => (await subscribers('fresh')) === 1);
    expect(await subscribers('old')).toBe(0);
    await storeAsAnother('fresh');
    await expect(fresh).resolves.toBe('fresh');
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(async () => (await subscribers('old')) === 1);
    await storeAsAnother('old');
    await expect(old).resolves.toBe('old');
  });
});

describe('a command that is withdrawn while it is in use', () => {
  it('fails the calls that need it, until it is granted again', async () => {
    const backend = open();
    await backend.storeResult('t', 1, 'STARTED');
    await grant('-setex', '-get');
    await expect(failure(backend.storeResult('t', 1, 'SUCCESS'))).resolves.toHaveProperty(
      'message',
      expect.stringContaining('+setex'),
    );
    await expect(failure(backend.getStatus('t'))).resolves.toHaveProperty('message', expect.stringContaining('+get'));
    await grant('+setex', '+get');
    await expect(backend.storeResult('t', 1, 'SUCCESS')).resolves.toBe('stored');
    await expect(backend.getStatus('t')).resolves.toBe('SUCCESS');
    expect(backend.stats().reconnects).toBe(0);
  });

  it('as is its user: an outage, that ends when the user is back', async () => {
    const backend = open();
    await backend.connect();
    const waiting = backend.waitFor('t');
    await eventually(async () => (await subscribers('t')) === 1);
    await server.cli('ACL', 'DELUSER', user.name);
    await eventually(async () => (await server.clients()).length === 0);
    await setUser(server, user);
    await expect(backend.storeResult('t', 1, 'SUCCESS')).resolves.toBe('stored');
    await expect(waiting).resolves.toBe(1);
    expect(warnings).toEqual([expect.stringContaining('trying again until there is one')]);
  });
});
