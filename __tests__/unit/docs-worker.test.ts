/** The examples of docs/worker.md, run as one program in memory. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from '@jest/globals';

it('the examples of docs/worker.md run and say what they are said to', () => {
  const text = readFileSync('docs/worker.md', 'utf8');
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? '');
  const source = pathToFileURL(resolve('src/index.ts')).href;
  const folder = mkdtempSync(join(tmpdir(), 'celery-redis-docs-'));
  try {
    const file = join(folder, 'worker.mts');
    writeFileSync(file, blocks.join('\n').replace("'celery-redis-backend'", `'${source}'`));
    const env = { ...process.env, REDIS_URL: 'memory://docs' };
    const args = ['--import', 'tsx', file];
    const said = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000, env });
    const expected = [...text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
    expect(expected.length).toBe(2);
    expect(said.trim().split('\n')).toEqual(expected);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
