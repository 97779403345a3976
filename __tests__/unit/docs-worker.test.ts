/** The examples of docs/worker.md, run as one program in memory. */
import { expect, it } from '@jest/globals';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

it('the examples of docs/worker.md run and say what they are said to', () => {
  using folder = new ExampleFolder();
  const program = examplesOf('docs/worker.md').join('\n');
  const expected = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
  expect(expected.length).toBe(2);
  expect(folder.run('worker.mts', program, { REDIS_URL: 'memory://docs' })).toEqual(expected);
});
