/**
 * Says whether a tag may be published, by exit code.
 *
 *     npm run release:check -- v1.2.3 owner/name
 */
import { readFileSync } from 'node:fs';
import { problemsOf, type Release } from './problems.ts';

const read = (file: string): string => readFileSync(file, 'utf8');
const [tag = '', repository = ''] = process.argv.slice(2);
const problems = problemsOf({
  tag,
  repository,
  manifest: JSON.parse(read('package.json')) as Release['manifest'],
  lock: JSON.parse(read('package-lock.json')) as Release['lock'],
  changelog: read('CHANGELOG.md'),
});
for (const problem of problems) console.error(`release: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
