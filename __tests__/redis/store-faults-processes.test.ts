/** Stores of several processes, and of processes that end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { RedisBackend } from '../../src/index.ts';
import { RunningService } from '../support/compose.ts';
import { eventually } from '../support/driver.ts';
import { RedisServer } from '../support/redis.ts';

const SCRIPT = fileURLToPath(new URL('../support/store-worker.ts', import.meta.url));

let server: RedisServer;
const children: ChildProcess[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await server.cli('FLUSHALL');
});
afterAll(() => server.stop());

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): RunningService {
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], { env: { ...process.env, ...env } });
  children.push(child);
  return new RunningService(child);
}

/** Resolves when a process has said so. */
async function said(service: RunningService, text: string): Promise<void> {
  while (!service.output.includes(text)) {
    if (service.process.exitCode !== null) throw new Error(`left without saying ${text}: ${service.output}`);
    await Promise.race([once(service.process.stdout ?? service.process, 'data'), once(service.process, 'exit')]);
  }
}

it('a SUCCESS stands against the late FAILURE of a worker that was given up for lost, in another process', async () => {
  await using backend = new RedisBackend({}, { url: server.url, maxCachedResults: -1 });
  const ids = Array.from({ length: 2_000 }, () => randomUUID());
  const file = join(server.folder, 'ids');
  writeFileSync(file, ids.join('\n'));
  const lost = run(SCRIPT, [server.url, 'race', file]);
  await said(lost, 'ready');
  lost.process.stdin?.write('go\n');
  for (let from = 0; from < ids.length; from += 20) {
    await Promise.all(ids.slice(from, from + 20).map((id) => backend.storeResult(id, id, 'SUCCESS')));
  }
  expect(await lost.left()).toBe(0);
  const metas = await backend.getMany(ids);
  expect(new Set([...metas.values()].map(({ status }) => status))).toEqual(new Set(['SUCCESS']));
  expect(metas.size).toBe(ids.length);
});

it('a process that closes its backend loses no store that it began', async () => {
  const worker = run(SCRIPT, [server.url, 'close']);
  expect(await worker.left()).toBe(0);
  expect(worker.output).toBe('');
  expect(await server.cli('DBSIZE')).toBe(11);
  expect(await server.cli('STRLEN', 'celery-task-meta-large')).toBeGreaterThan(20 * 2 ** 20);
});

it('a process that exits without close loses what it had not sent', async () => {
  const worker = run(SCRIPT, [server.url, 'exit']);
  expect(await worker.left()).toBe(0);
  expect(await server.cli('EXISTS', 'celery-task-meta-large')).toBe(0);
});

it('the worker of the examples, told to leave in the middle of a task, stores its result first', async () => {
  if (!existsSync('dist/esm/index.js')) throw new Error('The examples run on dist: npm run build first.');
  const env = { CELERY_BROKER_URL: server.url, CELERY_RESULT_BACKEND: server.url, TYPESCRIPT_TASK_QUEUE: 'typescript' };
  const worker = run('examples/stack/worker.ts', [], env);
  await said(worker, 'ready');
  const id = randomUUID();
  const message = {
    body: Buffer.from(JSON.stringify([[10], {}, {}])).toString('base64'),
    headers: { id, task: 'typescript.progress' },
    properties: { delivery_info: { exchange: '', routing_key: 'typescript' } },
  };
  await server.cli('LPUSH', 'typescript', JSON.stringify(message));
  const state = async (): Promise<string> => String(await server.cli('GET', `celery-task-meta-${id}`));
  await eventually(async () => (await state()).includes('"PROGRESS"'));
  expect(await worker.stop()).toBe(0);
  expect(JSON.parse(await state())).toMatchObject({ status: 'SUCCESS', result: 10 });
});
