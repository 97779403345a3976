/** The examples of docs/waiting.md and docs/typed.md, each run as one program on a memory that a worker has filled. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from '@jest/globals';

/** Runs the examples of a guide. @returns what they say */
function run(name: string, results: Readonly<Record<string, unknown>>): string[] {
  const blocks = [...readFileSync(`docs/${name}.md`, 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(
    (match) => match[1] ?? '',
  );
  const source = pathToFileURL(resolve('src/index.ts')).href;
  const worker = `
import { RedisBackend as Backend } from '${source}';
const worker = new Backend({}, { url: 'memory://docs' });
for (const [id, value] of Object.entries(${JSON.stringify(results)})) await worker.storeResult(id, value, 'SUCCESS');
await worker.storeResult('failed', new Error('no stock'), 'FAILURE');
`;
  const folder = mkdtempSync(join(tmpdir(), 'celery-redis-docs-'));
  try {
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const file = join(folder, `${name}.mts`);
    const program = [worker, ...blocks, 'await worker.close();'].join('\n');
    writeFileSync(file, program.replaceAll("'celery-redis-backend'", `'${source}'`));
    const env = { ...process.env, REDIS_URL: 'memory://docs' };
    const options = { encoding: 'utf8', timeout: 50_000, env } as const;
    return execFileSync(process.execPath, ['--import', 'tsx', file], options).trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it('the examples of docs/waiting.md say what they are said to', () => {
  expect(run('waiting', { invoice: { total: 42 }, a: 1, b: 2, c: 3 })).toEqual([
    '42', 'PROGRESS { current: 1, total: 2 }', 'SUCCESS sent', '[ 1, 2, 3 ]', 'a 1', 'b 2', 'failed no stock', 'b 2',
    'the client has gone', 'true',
  ]); // prettier-ignore
});

it('the examples of docs/typed.md say what they are said to', () => {
  const results = {
    'price-1': { sku: 'a', cents: 1999 },
    'price-2': { sku: 'b', cents: 5 },
    'ship-1': '2026-01-01T12:00:00+01:00',
    broken: { sku: 'a', cents: 'many' },
  };
  expect(run('typed', results)).toEqual([
    '1999',
    '[ 1999, 5 ]',
    '2026-01-01T11:00:00.000Z',
    expect.stringMatching(/^The result of orders\.price \(task broken\) is not valid: \$\.cents: .+\.$/),
    'broken INVALID',
    'price-1 SUCCESS',
  ]);
});
