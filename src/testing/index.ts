/** For tests: of code that uses a backend, and of drivers. */
export type { RawStore } from './contract/context.ts';
export type { ContractRunner, ContractSubject } from './contract/index.ts';
export { contract } from './contract/index.ts';
export type { AwaitedOptions } from './memory.ts';
export { awaited, memoryBackend } from './memory.ts';
export type { Storing } from './tasks.ts';
export { fail, progress, pythonError, retry, revoke, start, succeed } from './tasks.ts';
