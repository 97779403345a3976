/** The examples of docs/results.md, run as one program on a memory that a worker has filled. */
import { expect, it } from '@jest/globals';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

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
  const [imports = '', ...blocks] = examplesOf('docs/results.md');
  const [head = '', rest = ''] = imports.split('\n\n');
  const program = [head, WORKER, rest, ...blocks].join('\n');
  using folder = new ExampleFolder();
  const said = folder.run('results.mts', program.replace('await backend.close();', '$&\nawait worker.close();'));
  expect(said).toEqual(OUTPUT.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))));
});
