/** Jest's global set-up of the interop tests: says early, and in one line, what is missing. */
import { findCeleryPython } from './python.ts';
import { findServer } from './redis.ts';

// eslint-disable-next-line no-restricted-syntax -- jest takes the default export of a globalSetup
export default function requireCelery(): void {
  findServer();
  findCeleryPython();
}
