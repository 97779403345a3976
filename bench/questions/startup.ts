/** How long from an import to the first answer, and what does it bring with it? */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { Question } from '../harness.ts';
import { burst } from '../measure.ts';
import { installedBytes } from '../packages.ts';
import { FIRST } from '../competitors/program.ts';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** A fresh process each time. */
export const startup: Question = {
  name: 'startup',
  figures: [
    { name: 'import and first answer', unit: 'ms', better: 'lower' },
    { name: 'installed size', unit: 'kB', better: 'lower' },
  ],

  async prepare({ port }) {
    await (
      await burst(port, [FIRST])
    )();
  },

  async round({ competitor, port }) {
    const { command, args } = competitor.firstAnswer;
    const { stdout } = await promisify(execFile)(command, [...args, String(port)], { cwd: FOLDER });
    return [Number(stdout), installedBytes(competitor) / 1000];
  },
};
