/** The documented users behind sentinels and in a cluster, with the rules that these add. */
import { describe, expect, it } from '@jest/globals';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { denials, documentedRules, documentedUser, loginOf, setUser, withRules } from '../support/acl.ts';
import { ClusterDeployment } from '../support/cluster.ts';
import { failure } from '../support/failure.ts';
import type { RedisServer } from '../support/redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';

const plain = documentedUser('results');
const clustered = withRules(plain, ...documentedRules('a cluster'));
const watcher = {
  name: 'watcher',
  password: 'seen',
  rules: documentedRules('Sentinel: a user on each sentinel'),
};

/** A bit of everything. */
async function use(options: BackendOptions): Promise<void> {
  const sent: unknown[] = [];
  const app = { applySignature: (body: unknown) => Promise.resolve(sent.push(body)) };
  await using backend = new RedisBackend(app, options);
  const ids = Array.from({ length: 20 }, (_, index) => `t${index}`);
  const waits = Promise.all(ids.map((id) => backend.waitFor(id)));
  await Promise.all(ids.map((id) => backend.storeResult(id, id, 'SUCCESS')));
  await expect(waits).resolves.toEqual(ids);
  await expect(backend.getMany([...ids, 'other'])).resolves.toHaveProperty('size', 21);
  await backend.forget('t0');
  await backend.saveGroup('g', [['g', null], []]);
  await backend.restoreGroup('g');
  await backend.deleteGroup('g');
  await backend.setChordSize('c', 1);
  await backend.addToChord('c');
  for (const id of ['p1', 'p2']) {
    const request = { id, group: 'c', chord: { task: 'app.body', options: { task_id: 'body' } } };
    await backend.markAsDone(id, 1, { request });
  }
  expect(sent).toHaveLength(1);
}

async function refusals(servers: readonly Pick<RedisServer, 'cli'>[]): Promise<readonly string[]> {
  const all = await Promise.all(servers.map((server) => denials(server)));
  return all.flat().filter((each) => !each.includes('client|setinfo'));
}

describe('a backend by Sentinel', () => {
  it('does everything as the documented users of the master and of the sentinels', async () => {
    await using deployment = await SentinelDeployment.start();
    for (const server of deployment.servers) await setUser(server, plain);
    for (const sentinel of deployment.sentinels) await setUser(sentinel, watcher);
    const { name: username, password } = watcher;
    const sentinel = { masterName: 'mymaster', username, password };
    await use({ url: deployment.url(loginOf(plain)), sentinel });
    expect(await refusals([...deployment.servers, ...deployment.sentinels])).toEqual([]);

    for (const each of deployment.sentinels) await setUser(each, watcher, ['+sentinel|master']);
    await using backend = new RedisBackend({}, { url: deployment.url(loginOf(plain)), sentinel });
    const { message } = await failure<Error>(backend.connect({ timeout: 5 }));
    expect(message).toMatch(/a sentinel refuses us: .*\(allow it: ACL SETUSER <user> \+sentinel\|master\)/);
  });
});

describe('a backend on a cluster', () => {
  it('does everything as the documented user, also while a slot moves; without its rules it says which', async () => {
    await using deployment = await ClusterDeployment.start();
    const { masters } = deployment;
    for (const server of masters) await setUser(server, clustered);
    const options = { url: deployment.url(loginOf(clustered)) };
    await use(options);
    expect(await refusals(masters)).toEqual([]);

    const [first, second] = masters;
    if (!first || !second) throw new Error('there are three');
    const slot = slotOf('celery-task-meta-moving');
    const from = masters[Math.floor((slot * 3) / 16_384)] ?? first;
    const to = from === first ? second : first;
    await deployment.openSlot(slot, from, to);
    await using backend = new RedisBackend({}, options);
    await expect(backend.storeResult('moving', 1, 'STARTED')).resolves.toBe('stored');
    expect(await refusals(masters)).toEqual([]);
    for (const server of masters) await setUser(server, clustered, ['+asking']);
    await expect(failure(backend.storeResult('moving', 1, 'SUCCESS'))).resolves.toHaveProperty(
      'message',
      expect.stringContaining('(allow it: ACL SETUSER <user> +asking)'),
    );

    for (const server of masters) await setUser(server, plain);
    await using lost = new RedisBackend({}, options);
    await expect(failure(lost.getStatus('t'))).resolves.toHaveProperty(
      'message',
      expect.stringContaining('(allow it: ACL SETUSER <user> +cluster|slots)'),
    );
  });

  it('goes on by the other nodes while one refuses its login, and with that one once it does not', async () => {
    await using deployment = await ClusterDeployment.start();
    const [first, ...others] = deployment.masters;
    if (!first) throw new Error('there are three');
    for (const server of others) await setUser(server, clustered);
    await using backend = new RedisBackend({}, { url: deployment.url(loginOf(clustered)) });
    const ids = Array.from({ length: 20 }, (_, index) => `t${index}`);
    const isOnFirst = (id: string): boolean => slotOf(`celery-task-meta-${id}`) < 16_384 / 3;
    const store = (id: string): Promise<string> => backend.storeResult(id, id, 'SUCCESS');
    const waits = ids.map((id) => backend.waitFor(id));
    const stores = ids.filter(isOnFirst).map(store);
    const reachable = ids.filter((id) => !isOnFirst(id));
    await Promise.all(reachable.map(store));
    await expect(Promise.all(waits.filter((_, at) => !isOnFirst(`t${at}`)))).resolves.toEqual(reachable);

    await setUser(first, clustered);
    await Promise.all(stores);
    await expect(Promise.all(waits)).resolves.toEqual(ids);
  });
});
