/** The example of docs/testing.md, run by `node:test`. */
import { expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

const [code = '', tests = ''] = examplesOf('docs/testing.md');

/** Runs the tests with a program under test. */
function run(program: string): { readonly output: string; readonly status: number | null } {
  using folder = new ExampleFolder();
  folder.write('price.test.mts', `${program}\n${tests}`);
  const args = ['--import', 'tsx', '--test', '--test-reporter', 'tap', 'price.test.mts'];
  // Under this name node:test would take itself for a child of another run.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const done = spawnSync(process.execPath, args, { cwd: folder.path, encoding: 'utf8', timeout: 50_000, env });
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
