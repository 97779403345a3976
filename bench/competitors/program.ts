/** Programs that measure a start. */
import type { Program } from '../harness.ts';

/** Runs the body of an ES module, which has `port`, and prints the milliseconds that it took. */
export function nodeProgram(body: string): Program {
  const text = `const start = performance.now(); const port = Number(process.argv[1]); ${body}
    console.log(performance.now() - start); process.exit();`;
  return { command: process.execPath, args: ['--input-type=module', '--eval', text] };
}

/** The stored result that is the first answer. */
export const FIRST = '00000000-0000-4000-8000-00000000f125';
