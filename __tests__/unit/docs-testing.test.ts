/** The example of docs/testing.md, run by `node:test`. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-docs-'));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const [code = '', tests = ''] = [...readFileSync('docs/testing.md', 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(
  (match) => match[1],
);

/** Runs the tests with a program under test. */
function run(program: string): { readonly output: string; readonly status: number | null } {
  const source = (file: string): string => `'${pathToFileURL(resolve('src', file)).href}'`;
  const text = `${program}\n${tests}`
    .replaceAll("'celery-redis-backend'", source('index.ts'))
    .replaceAll("'celery-redis-backend/testing'", source('testing/index.ts'));
  writeFileSync(join(folder, 'price.test.mts'), text);
  const args = ['--import', 'tsx', '--test', '--test-reporter', 'tap', 'price.test.mts'];
  // Under this name node:test would take itself for a child of another run.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const done = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 50_000, env });
  return { output: done.stdout, status: done.status };
}

it('the example of docs/testing.md passes, and fails when the program is wrong', () => {
  const right = run(code);
  expect(right.output).toMatch(/^# pass 2$/m);
  expect(right.status).toBe(0);
  const wrong = run(code.replace("'NoSuchSku'", "'AnotherError'"));
  expect(wrong.output).toMatch(/^# fail 1$/m);
  expect(wrong.status).toBe(1);
});
