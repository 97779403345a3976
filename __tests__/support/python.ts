/** A Python that has Celery. */
import { execFileSync } from 'node:child_process';

/** What a Python with Celery says of itself. */
export interface CeleryPython {
  readonly command: string;
  readonly celery: string;
  readonly kombu: string;
}

const CANDIDATES = [
  process.env['CELERY_PYTHON'],
  `${process.cwd()}/.venv/bin/python3`,
  '/usr/bin/python3',
  'python3',
  '/opt/homebrew/bin/python3',
];
const QUESTION = 'import celery, kombu, redis; print(celery.__version__, kombu.__version__)';

let found: CeleryPython | undefined;

/**
 * The first of $CELERY_PYTHON, .venv, the system's and PATH's Python that can import celery and redis.
 *
 * @throws Error that says how to get one
 */
export function findCeleryPython(): CeleryPython {
  for (const command of found ? [] : CANDIDATES) {
    if (!command) continue;
    try {
      const answer = execFileSync(command, ['-c', QUESTION], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const [celery = '', kombu = ''] = answer.trim().split(' ');
      found = { command, celery, kombu };
      break;
    } catch {
      continue;
    }
  }
  if (found) return found;
  throw new Error('No Python with celery and redis was found: run scripts/setup.sh, or set CELERY_PYTHON.');
}
