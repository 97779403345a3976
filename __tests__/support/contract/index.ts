/** The contract of drivers, declared in jest. A driver's whole test is a few lines that open it. */
import { afterAll, describe, it } from '@jest/globals';
import { contract, type RawStore } from '../../../src/testing/index.ts';

/** Declares the whole contract for one driver. @param exceptions - titles that it cannot pass, each with the reason */
export function describeBackend(
  name: string,
  open: () => Promise<RawStore>,
  exceptions: Readonly<Record<string, string>> = {},
): void {
  contract({ describe, it, afterAll }, { name, open, exceptions });
}
