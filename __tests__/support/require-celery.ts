/**
 * Jest's global set-up of the interop tests: says early that there is no Celery. It may not import other TypeScript
 * files, which Jest does not compile here.
 */
import { execFileSync } from 'node:child_process';

/** What a Python with Celery says of itself. */
export interface CeleryPython {
  readonly command: string;
  readonly celery: string;
  readonly kombu: string;
}

// scripts/setup.sh looks in the same places.
const CANDIDATES = [
  process.env['CELERY_PYTHON'],
  `${process.cwd()}/.venv/bin/python3`,
  '/usr/bin/python3',
  'python3',
  '/opt/homebrew/bin/python3',
];
const QUESTION = 'import celery, kombu, redis, yaml; print(celery.__version__, kombu.__version__)';

let found: CeleryPython | undefined;

/**
 * The first of $CELERY_PYTHON, .venv, the system's and PATH's Python that can import celery, redis and yaml.
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
  throw new Error('No Python with celery, redis and yaml was found: run npm run setup, or set CELERY_PYTHON.');
}

// eslint-disable-next-line no-restricted-syntax -- jest takes the default export of a globalSetup
export default function requireCelery(): void {
  findCeleryPython();
}
