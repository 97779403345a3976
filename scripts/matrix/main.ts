/**
 * Runs the tests with other versions of Node, ioredis, Redis and Celery, as far as they can be had here, and prints a table.
 *
 *     npm run matrix -- --list
 *     npm run matrix -- --only "node 24" --only "redis 8, ioredis 6"
 *
 * Exit code 1 when a cell failed; with `--strict` also when one is not available. Needs a build.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cell, CELLS } from './cells.ts';
import { NotAvailable, provideCelery, provideNode, provideServer } from './provide.ts';

type Result = 'passed' | 'failed' | 'not available';

interface Outcome {
  readonly result: Result;
  readonly detail: string;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly success: boolean;
}

const logs = mkdtempSync(join(tmpdir(), 'celery-redis-matrix-logs-'));

/** The environment in which the tests of a cell find its versions, and its Node. */
function surroundings({ node, server, celery }: Cell): { command: string; env: NodeJS.ProcessEnv } {
  const command = node === undefined ? process.execPath : provideNode(node);
  const folders = [dirname(command), ...(server === undefined ? [] : [provideServer(server)])];
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: [...folders, process.env['PATH']].join(delimiter) };
  if (celery !== undefined) env['CELERY_PYTHON'] = provideCelery(celery);
  return { command, env };
}

/** Runs jest; what it says goes to a file, and to the error output when it fails. */
function test(cell: Cell): Outcome {
  const { command, env } = surroundings(cell);
  const base = join(logs, cell.name.replace(/\W+/g, '-'));
  const output = openSync(`${base}.log`, 'w');
  const flags = ['--expose-gc', '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const tests = ['--selectProjects', cell.project, '--testPathPatterns', cell.tests];
  const words = [...flags, 'node_modules/jest/bin/jest.js', ...tests, '--json', '--outputFile', `${base}.json`];
  const started = performance.now();
  const { status } = spawnSync(command, words, { env, stdio: ['ignore', 'ignore', output] });
  const seconds = Math.round((performance.now() - started) / 1000);
  const report = status === 0 ? (JSON.parse(readFileSync(`${base}.json`, 'utf8')) as Report) : undefined;
  if (report?.success && report.numPassedTests > 0) {
    return { result: 'passed', detail: `${report.numPassedTests} tests, ${seconds} s` };
  }
  console.error(readFileSync(`${base}.log`, 'utf8').slice(-20_000));
  return { result: 'failed', detail: `${base}.log` };
}

function outcomeOf(cell: Cell): Outcome {
  try {
    return test(cell);
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error;
    return { result: 'not available', detail: error.message };
  }
}

const row = (name: string, result: string, detail: string): string =>
  `${name.padEnd(23)}  ${result.padEnd(13)}  ${detail}`;

/** Runs one after the other, each row printed when it is known. */
function runAll(cells: readonly Cell[], strict: boolean): void {
  console.log(row('cell', 'result', ''));
  const results = cells.map((cell) => {
    const { result, detail } = outcomeOf(cell);
    console.log(row(cell.name, result, detail));
    return result;
  });
  const count = (wanted: Result): number => results.filter((result) => result === wanted).length;
  console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('not available')} not available`);
  if (count('failed') > 0 || (strict && count('not available') > 0)) process.exitCode = 1;
}

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [''] },
    strict: { type: 'boolean', default: false },
  },
});
const chosen = CELLS.filter(({ name }) => values.only.some((words) => name.includes(words)));
if (chosen.length === 0) throw new Error('No cell is called so; npm run matrix -- --list prints their names.');
if (values.list) console.log(chosen.map(({ name }) => name).join('\n'));
else runAll(chosen, values.strict);
