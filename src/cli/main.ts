#!/usr/bin/env node
/** The program `celery-result`. */
import { EXIT } from './exit-codes.ts';
import { Interruption } from './io.ts';
import { run } from './run.ts';

const stop = new AbortController();
const end = (code: number) => (): void => {
  // Whoever asks twice does not want to wait.
  if (stop.signal.aborted) process.exit(code);
  stop.abort(new Interruption(code));
};

process.on('SIGINT', end(EXIT.interrupted));
process.on('SIGTERM', end(EXIT.terminated));
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    // Whoever read has enough.
    end(EXIT.success)();
  });
}
// Ours come as notes.
process.removeAllListeners('warning');

const { stdin, stdout, stderr, env } = process;
const code = await run(process.argv.slice(2), { stdin, stdout, stderr, env, cwd: process.cwd(), signal: stop.signal });
process.exitCode = code;
// What is left of an interrupted command is not waited for.
if (stop.signal.aborted) process.exit(code);
