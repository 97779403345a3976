/**
 * Fails the test during which a promise was rejected without a handler, or an error thrown where nobody caught it.
 *
 * Jest's own environment would print some of these and swallow others; here each one fails the test that caused it.
 */
import { afterEach, beforeEach } from '@jest/globals';

const leaked: unknown[] = [];

function note(reason: unknown): void {
  leaked.push(reason);
}

beforeEach(() => {
  leaked.length = 0;
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});

afterEach(async () => {
  // Node reports an unhandled rejection after the microtasks of the tick that made it.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  const first = leaked.splice(0);
  if (first.length > 0) {
    throw new AggregateError(first, `left behind by this test: ${first.map(String).join('; ')}`);
  }
});
