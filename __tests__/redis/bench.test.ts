/** The bench, from its command line to its JSON. What the figures are, nobody asserts. */
import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Run } from '../../bench/report.ts';

/** Processes start, one after another, on a machine that may have other things to do. */
const LIMIT_MS = 300_000;

it(
  'asks this package and the floor one question, prints a table and writes JSON',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'celery-redis-bench-test-'));
    const json = join(folder, 'run.json');
    try {
      const args = ['--import', 'tsx', 'bench/run.ts', '--quick', '--rounds', '1', '--only', 'fan', '--json', json];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const run = JSON.parse(readFileSync(json, 'utf8')) as Run;
      expect(run).toMatchObject({ rounds: 1, floor: 'ioredis', where: { node: process.version } });
      expect(run.figures).toMatchObject([
        {
          question: 'fan',
          unit: 'µs',
          rounds: { 'celery-redis-backend': [expect.any(Number)], ioredis: [expect.any(Number)] },
        },
      ]);
      expect(stdout).toContain('last of 100 waiters for one id, µs (lower is better)');
      expect(stdout).toMatch(/^\| measure +\| goal +\| measured +\| of rounds +\| met +\|$/m);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  LIMIT_MS,
);
