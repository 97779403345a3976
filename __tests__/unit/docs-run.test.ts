/** The examples of documents that have no test of their own, run without a network. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

let folder: ExampleFolder;

beforeEach(() => {
  folder = new ExampleFolder();
});

afterEach(() => {
  folder[Symbol.dispose]();
});

const MEMORY = { REDIS_URL: 'memory://docs', CELERY_RESULT_BACKEND: 'memory://docs' };

/** In the place of the Redis that is the broker: runs each task it is given. */
const BROKER = `
import { RedisBackend, requestFromMessage } from 'celery-redis-backend';
import { Canvas, redisEnvelope } from 'celery-redis-backend/canvas';

const tasks = { 'tasks.add': (...args) => args.reduce((a, b) => a + b), 'tasks.total': (values) => values.reduce((a, b) => a + b) };

export class Redis {
  constructor(url) {
    const app = {};
    this.backend = new RedisBackend(app, { url });
    this.canvas = new Canvas({ backend: this.backend, send: (message) => this.lpush(message.queue, redisEnvelope(message)) });
    Object.assign(app, this.canvas.hooks);
  }

  async lpush(queue, text) {
    const { body, headers, properties } = JSON.parse(text);
    const decoded = JSON.parse(Buffer.from(body, 'base64').toString());
    const request = requestFromMessage({ headers, properties, body: decoded });
    setImmediate(() => this.canvas.run(request, async () => {
      const value = tasks[request.task](...request.args);
      const children = await this.canvas.sendNext(request, value);
      await this.backend.markAsDone(request.id, value, { request: { ...request, children } });
    }));
    return 1;
  }
}
`;

describe('the examples of', () => {
  it.each([
    ['docs/settings.md', ['redis://localhost:6379/1', 'memory://docs']],
    ['docs/python.md', ['redis://localhost:6379/1']],
    [
      'docs/topologies.md',
      [
        'sentinel://:**@10.0.0.1:26379/0;sentinel://10.0.0.2:26379/;sentinel://10.0.0.3:26379/',
        'redis+cluster://:**@10.0.0.1:7000/;10.0.0.2:7000/',
        'rediss://cache.example.com:6379/0',
      ],
    ],
  ])('%s make backends of what they show', (path, uris) => {
    const end = '\nconsole.log(backend.asUri());\nawait backend.close();\n';
    const said = examplesOf(path).flatMap((example, index) => folder.run(`${index}.mts`, example + end, MEMORY));
    expect(said).toEqual(uris);
  });

  it('docs/canvas.md send a chain, a group and chords, and run a task with what follows it', () => {
    folder.write('broker.mts', BROKER);
    const end = `
const next = { ...signature('tasks.add', [1]), options: { task_id: 'next' } };
await execute({ id: 'task', chain: [next] }, () => Promise.resolve(41));
await execute({ id: 'failed' }, () => Promise.reject(new Error('boom')));
await execute({ id: 'odd' }, () => Promise.resolve(() => 1));
const states = await Promise.all(['failed', 'odd'].map((id) => backend.getStatus(id)));
console.log(sum, await backend.waitFor('task'), await backend.waitFor('next'), ...states);
await Promise.all([backend, results, broker.backend].map((each) => each.close()));`;
    const program = (examplesOf('docs/canvas.md').join('\n') + end).replaceAll("'ioredis'", "'./broker.mts'");
    expect(folder.run('canvas.mts', program, MEMORY)).toEqual(['9 41 42 FAILURE FAILURE']);
  });

  it('docs/errors.md map a class both ways', () => {
    const said = folder.run('errors.mts', examplesOf('docs/errors.md').join('\n'), MEMORY);
    expect(said).toEqual(['a traceback', 'true declined: expired']);
  });

  it('docs/producing.md subscribe before they send; those for celery-node are run beside a real Redis', () => {
    const [one = '', many = ''] = examplesOf('docs/producing.md');
    const end = `
const send = (taskId: string) => backend.storeResult(taskId, 'done', 'SUCCESS');
console.log(await call(send), await callAll(send, 2), backend.stats().held);
await backend.close();`;
    expect(folder.run('producing.mts', [one, many, end].join('\n'), MEMORY)).toEqual(["done [ 'done', 'done' ] 0"]);
  });

  it('docs/production.md close the backend after the tasks that are under way', () => {
    const end = `
const store = async () => {
  await new Promise(setImmediate);
  console.log(await backend.storeResult('t', 1, 'SUCCESS'));
};
const done = take(store);
process.emit('SIGTERM');
await done;
await new Promise(setImmediate);
await take(store).catch((error) => console.log(error.code));`;
    const said = folder.run('production.mts', examplesOf('docs/production.md').join('\n') + end, MEMORY);
    expect(said).toEqual(['stored', 'CELERY_BACKEND_CLOSED']);
  });

  it('docs/observability.md tell of waits, with what was there at the call, and of outages', () => {
    const [wait = '', connection = ''] = examplesOf('docs/observability.md');
    const waits = `
import { RedisBackend } from 'celery-redis-backend';
const backend = new RedisBackend({}, { url: 'memory://docs' });
await backend.storeResult('t', 1, 'SUCCESS');
await requestId.run('request 7', () => backend.waitFor('t'));
await backend.close();`;
    expect(folder.run('wait.mts', wait + waits)).toEqual([
      expect.stringMatching(/^request 7: t ready by read after 0\.\d{3} s$/),
    ]);
    const outage = { connection: 'commands', state: 'ready', attempt: 1, first: false, downFor: 2 };
    expect(folder.run('connection.mts', connection + published('connection', outage))).toEqual([
      'commands is back after 2 s',
    ]);
  });

  it('docs/storing.md tell of stores that were lost', () => {
    const lost = { taskId: 't', state: 'SUCCESS', outcome: 'failed', duration: 29, attempts: 5 };
    const [store = ''] = examplesOf('docs/storing.md');
    expect(folder.run('store.mts', `console.error = console.log;\n${store}${published('store', lost)}`)).toEqual([
      'SUCCESS of t lost after 5 tries, 29.0 s',
    ]);
  });
});

/** Publishes an event in the place of a backend. */
function published(channel: string, event: object): string {
  return `
import { channel } from 'node:diagnostics_channel';
channel('celery-redis-backend:${channel}').publish(${JSON.stringify(event)});`;
}
