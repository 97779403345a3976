/** The examples that need a real Redis or a real Celery, as they stand in the documents. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CeleryWorker } from '../support/celery.ts';
import { blocksOf, DOCUMENTS, ExampleFolder, examplesOf } from '../support/docs.ts';
import { RedisServer } from '../support/redis.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const { celery, command: python } = findCeleryPython();
let server: RedisServer;
let folder: ExampleFolder;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  folder = new ExampleFolder();
  await server.cli('FLUSHALL');
});

afterEach(() => {
  folder[Symbol.dispose]();
});

/** Those of Python, with this Redis in the place of the reader's. */
function pythonOf(path: string): string[] {
  return blocksOf(path).flatMap(({ language, text }) =>
    language === 'python' ? [text.replaceAll('redis://localhost:6379/0', server.url)] : [],
  );
}

describe('the README', () => {
  const [producer = '', worker = ''] = examplesOf('README.md');

  it(`awaits a result of Celery ${celery}`, async () => {
    folder.write('tasks.py', pythonOf('README.md')[0] ?? '');
    await using python = await CeleryWorker.start(server.url, { app: { module: 'tasks', folder: folder.path } });
    expect(folder.run('await.mts', producer, { REDIS_URL: server.url })).toEqual(['42']);
    expect(python).toBeDefined();
  });

  it(`has a worker whose results Celery ${celery} awaits, a failure too`, async () => {
    const [tasks = '', send = ''] = pythonOf('README.md');
    folder.write('tasks.py', tasks);
    folder.write('send.py', send);
    const unknown = send.replace('node.mul', 'node.no').replace('get(timeout=10)', 'get(timeout=10, propagate=False)');
    folder.write('unknown.py', unknown);
    const child = start(folder.write('worker.mts', worker));
    const ask = (name: string): string =>
      execFileSync(python, ['-B', join(folder.path, name)], { encoding: 'utf8', timeout: 50_000 }).trim();
    try {
      expect([ask('send.py'), ask('unknown.py')]).toEqual(['42', 'There is no task node.no.']);
    } finally {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    }
  });
});

/** Starts a program that goes on. */
function start(file: string): ChildProcess {
  const env = { ...process.env, REDIS_URL: server.url };
  return spawn(process.execPath, ['--import', 'tsx', file], { env, stdio: 'inherit' });
}

describe('the examples of', () => {
  it('docs/celery-node.md run a task, and end by SIGTERM', () => {
    const end = `
worker.register('add', (a: number, b: number) => a + b);
void worker.start();
console.log(await client.createTask('add').delay(1, 2).get(10_000));
process.kill(process.pid, 'SIGTERM');`;
    const program = examplesOf('docs/celery-node.md').join('\n') + end;
    const said = folder.run('node.mts', program, { REDIS_URL: server.url });
    expect(said.at(-1)).toBe('3');
  });

  it('docs/producing.md subscribe before celery-node sends', () => {
    const end = `
import { attachWorker } from 'celery-redis-backend/celery-node';
const worker = attachWorker(celery.createWorker(url, url), backend);
worker.register('shop.price', (sku: string) => sku + ' 19.99');
void worker.start();
console.log(await price('a'));
process.exit();`;
    const program = examplesOf('docs/producing.md').join('\n') + end;
    expect(folder.run('producing.mts', program, { REDIS_URL: server.url }).at(-1)).toBe('a 19.99');
  });

  it('docs/celery-ts.md make a client whose waits this backend answers', () => {
    const end = `
await backend.storeResult('t', 5, 'SUCCESS');
console.log((await createCeleryTsBackend(backend).get({ taskId: 't', timeout: 10_000 })).result);
await client.end();
await backend.close();`;
    const program = examplesOf('docs/celery-ts.md').join('\n') + end;
    expect(folder.run('ts.mts', program, { REDIS_URL: server.url })).toEqual(['5']);
  });
});

it.each(DOCUMENTS.filter(hasPython))('the Python of %s compiles', (path) => {
  for (const [index, text] of pythonOf(path).entries()) {
    const file = folder.write(`block${index}.py`, text);
    expect(() => execFileSync(python, ['-B', '-m', 'py_compile', file], { stdio: 'pipe' })).not.toThrow();
  }
});

/** Whether a document has blocks of Python. */
function hasPython(path: string): boolean {
  return blocksOf(path).some(({ language }) => language === 'python');
}
