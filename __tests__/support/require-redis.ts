/**
 * Jest's global set-up of the projects that need a real Redis: says early that there is none. It may not import other
 * TypeScript files, which Jest does not compile here.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const BINARIES = ['redis-server', 'valkey-server'];

/** The path of a server binary. @throws Error that names the ways out */
export function findServer(): string {
  for (const name of BINARIES) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not here.
      }
    }
  }
  throw new Error(
    `These tests need a real Redis: put ${BINARIES.join(' or ')} on PATH (apt-get install redis-server, ` +
      'brew install redis), or run those that need none: npm run test:unit',
  );
}

// eslint-disable-next-line no-restricted-syntax -- jest takes the default export of a globalSetup
export default function requireRedis(): void {
  findServer();
}
