/** The examples of docs/results.md, run as one program on a memory that a worker has filled. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from '@jest/globals';

const WORKER = `
process.env.REDIS_URL = 'memory://docs';
const worker = new RedisBackend({}, { url: 'memory://docs' });
const child = new AsyncResult('chart', worker);
await worker.storeResult('invoice', { total: 42 }, 'SUCCESS');
await worker.storeResult('step-1', new Error('no stock'), 'FAILURE');
for (const [i, id] of ['a', 'b', 'c'].entries()) await worker.storeResult(id, i + 1, 'SUCCESS');
await worker.storeResult('chart', 'drawn', 'SUCCESS');
await worker.storeResult('report', 'sent', 'SUCCESS', { request: { children: [child.asTuple()] } });
`;

const OUTPUT = [
  /^42 SUCCESS \d{4}-\d\d-\d\dT[\d:.]+Z$/, /no stock/, /^\[ 1, 2, 3 \] true 3$/, 'a 1', 'b 2', 'c 3', '[ 1, 3 ]',
  '[ 1, 2, 3 ]', 'report sent', 'chart drawn', 'true step-1', 'a SUCCESS 1', 'b SUCCESS 2', 'c SUCCESS 3',
]; // prettier-ignore

it('the examples of docs/results.md run in their order and say what they are said to', () => {
  const text = readFileSync('docs/results.md', 'utf8');
  const [imports = '', ...blocks] = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? '');
  const [head = '', rest = ''] = imports.split('\n\n');
  const source = pathToFileURL(resolve('src/index.ts')).href;
  const program = [head.replace("'celery-redis-backend'", `'${source}'`), WORKER, rest, ...blocks].join('\n');
  const folder = mkdtempSync(join(tmpdir(), 'celery-redis-docs-'));
  try {
    const file = join(folder, 'results.mts');
    writeFileSync(file, program.replace('await backend.close();', 'await backend.close();\nawait worker.close();'));
    const lines = execFileSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8', timeout: 50_000 });
    const said = lines.trim().split('\n');
    expect(said).toEqual(OUTPUT.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
