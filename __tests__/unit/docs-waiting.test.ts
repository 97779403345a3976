/** The examples of docs/waiting.md and docs/typed.md, each run as one program on a memory that a worker has filled. */
import { expect, it } from '@jest/globals';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

/** Runs the examples of a guide. @returns what they say */
function run(path: string, results: Readonly<Record<string, unknown>>): string[] {
  const worker = `
import { RedisBackend as Backend } from 'celery-redis-backend';
const worker = new Backend({}, { url: 'memory://docs' });
for (const [id, value] of Object.entries(${JSON.stringify(results)})) await worker.storeResult(id, value, 'SUCCESS');
await worker.storeResult('failed', new Error('no stock'), 'FAILURE');
`;
  using folder = new ExampleFolder();
  const program = [worker, ...examplesOf(path), 'await worker.close();'].join('\n');
  return folder.run('guide.mts', program, { REDIS_URL: 'memory://docs' });
}

it('the examples of docs/waiting.md say what they are said to', () => {
  expect(run('docs/waiting.md', { invoice: { total: 42 }, a: 1, b: 2, c: 3 })).toEqual([
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
  expect(run('docs/typed.md', results)).toEqual([
    '1999',
    '[ 1999, 5 ]',
    'price-1 1999',
    'price-2 5',
    '2026-01-01T11:00:00.000Z',
    expect.stringMatching(/^The result of orders\.price \(task broken\) is not valid: \$\.cents: .+\.$/),
    'broken INVALID',
    'price-1 SUCCESS',
  ]);
});
