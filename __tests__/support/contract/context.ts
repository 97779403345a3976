/** What other tests share with those of the contract. */
export type { RawStore } from '../../../src/testing/contract/context.ts';
export { deferred, keyOf, metaText, newId, outcome } from '../../../src/testing/contract/context.ts';
