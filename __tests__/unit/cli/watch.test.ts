/** `watch` with a reader who takes its time. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';
import { watchAll } from '../../../src/cli/commands/wait.ts';
import { type Io, Printer } from '../../../src/cli/io.ts';
import { Outcome } from '../../../src/cli/session.ts';
import { awaited, memoryBackend, progress } from '../../../src/testing/index.ts';

/** Resolves when a wait comes to its limit. */
function limit(): Promise<void> {
  return new Promise((resolve) => {
    const onTimeout = (): void => {
      unsubscribe('celery-redis-backend:timeout', onTimeout);
      resolve();
    };
    subscribe('celery-redis-backend:timeout', onTimeout);
  });
}

it('tells every state that was seen before it tells that the time is up', async () => {
  const backend = memoryBackend();
  const stdout = new PassThrough({ highWaterMark: 1 });
  const io: Io = {
    stdin: Readable.from([]),
    stdout,
    stderr: new PassThrough(),
    env: {},
    cwd: '.',
    signal: new AbortController().signal,
  };
  const outcome = new Outcome();
  const late = limit();
  const watching = watchAll({ backend, printer: new Printer(io, true), outcome }, ['a'], { timeout: 0.1 });
  await awaited(backend, 'a');
  for (let percent = 1; percent <= 200; percent += 1) await progress(backend, 'a', percent);
  await late;
  const told = text(stdout);
  await watching;
  stdout.end();
  const lines = (await told).trim().split('\n');
  const said = lines.map((line) => JSON.parse(line) as { readonly result: unknown; readonly error?: unknown });
  expect(said.map(({ result }) => result)).toEqual([...Array(200).keys(), 199].map((index) => index + 1));
  expect(said.map(({ error }) => error !== undefined).indexOf(true)).toBe(200);
  expect(outcome.code).toBe(3);
  await backend.close();
});
