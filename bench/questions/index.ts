/** The questions, in the order of the report. */
import type { Question } from '../harness.ts';
import { cached } from './cached.ts';
import { memory } from './memory.ts';
import { reads } from './reads.ts';
import { stores } from './stores.ts';
import { waiters } from './waiters.ts';
import { wake } from './wake.ts';

export const questions: readonly Question[] = [wake, stores, reads, waiters, cached, memory];
