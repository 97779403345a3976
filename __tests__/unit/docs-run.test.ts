/** The examples of docs/settings.md, docs/topologies.md and docs/canvas.md, run without a network. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-docs-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function blocksOf(name: string): string[] {
  return [...readFileSync(`docs/${name}.md`, 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? '');
}

/** Writes a program, whose imports are of the source. @returns its path */
function write(name: string, text: string): string {
  const source = (file: string): string => `'${pathToFileURL(resolve('src', file)).href}'`;
  const file = join(folder, name);
  writeFileSync(
    file,
    text
      .replaceAll("'celery-redis-backend'", source('index.ts'))
      .replaceAll("'celery-redis-backend/canvas'", source('canvas/index.ts'))
      .replaceAll("'ioredis'", "'./broker.mts'"),
  );
  return file;
}

function run(file: string, env: object = {}): string[] {
  const args = ['--import', 'tsx', file];
  const options = { encoding: 'utf8', timeout: 50_000, env: { ...process.env, ...env } } as const;
  return execFileSync(process.execPath, args, options).trim().split('\n');
}

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

describe('the examples of the docs', () => {
  it.each([
    ['settings', ['redis://localhost:6379/1', 'memory://docs']],
    [
      'topologies',
      [
        'sentinel://:**@10.0.0.1:26379/0;sentinel://10.0.0.2:26379/;sentinel://10.0.0.3:26379/',
        'redis+cluster://:**@10.0.0.1:7000/;10.0.0.2:7000/',
        'rediss://cache.example.com:6379/0',
      ],
    ],
  ])('docs/%s.md make backends of what they show', (name, uris) => {
    const files = blocksOf(name).map((block, index) => {
      const end = '\nconsole.log(backend.asUri());\nawait backend.close();\n';
      return write(`${name}-${index}.mts`, block + end);
    });
    expect(files.map((file) => run(file, { CELERY_RESULT_BACKEND: 'memory://docs' })).flat()).toEqual(uris);
  });

  it('docs/canvas.md send a chain, a group and chords, and run a task with what follows it', () => {
    write('broker.mts', BROKER);
    const end = `
const next = { ...signature('tasks.add', [1]), options: { task_id: 'next' } };
await execute({ id: 'task', chain: [next] }, () => Promise.resolve(41));
await execute({ id: 'failed' }, () => Promise.reject(new Error('boom')));
console.log(sum, await backend.waitFor('task'), await backend.waitFor('next'), await backend.getStatus('failed'));
await Promise.all([backend, results, broker.backend].map((each) => each.close()));`;
    const file = write('canvas.mts', blocksOf('canvas').join('\n') + end);
    expect(run(file, { REDIS_URL: 'memory://docs' })).toEqual(['9 41 42 FAILURE']);
  });
});
