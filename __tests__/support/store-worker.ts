/**
 * A process that stores results, for the tests of processes that end: argv is the URL, how it ends, and what it stores.
 *
 *     race <file>   says `ready`, and once it is written to stores FAILURE for each id of the file, twice
 *     close         stores a large and ten small results without waiting for them, and closes the backend
 *     exit          the same, but calls process.exit instead
 */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { RedisBackend } from '../../src/index.ts';

const [, , url = '', mode = '', file = ''] = process.argv;
const backend = new RedisBackend({}, { url });
await backend.connect();

if (mode === 'race') {
  const ids = readFileSync(file, 'utf8').split('\n');
  process.stdout.write('ready\n');
  await once(process.stdin, 'data');
  // Twice, so that some come before the other's SUCCESS, some beside it and some after it.
  for (let from = 0; from < 2 * ids.length; from += 20) {
    const some = [...ids, ...ids].slice(from, from + 20);
    await Promise.all(some.map((id) => backend.storeResult(id, new Error('lost worker'), 'FAILURE')));
  }
} else {
  const large = backend.storeResult('large', 'x'.repeat(20 * 2 ** 20), 'SUCCESS');
  const small = Array.from({ length: 10 }, (_, index) => backend.storeResult(`small-${index}`, index, 'SUCCESS'));
  for (const stored of [large, ...small]) stored.catch(console.error);
  if (mode === 'exit') process.exit(0);
}
await backend.close();
process.stdin.destroy();
