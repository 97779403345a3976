/** The questions, in the order of the report. */
import type { Question } from '../harness.ts';
import { cached } from './cached.ts';
import { fan } from './fan.ts';
import { hops } from './hops.ts';
import { memory } from './memory.ts';
import { pending } from './pending.ts';
import { reads } from './reads.ts';
import { startup } from './startup.ts';
import { stores } from './stores.ts';
import { waiters } from './waiters.ts';
import { wakes } from './wake.ts';

/** All of them. */
export const questions: readonly Question[] = [
  ...wakes,
  hops,
  ...stores,
  reads,
  cached,
  ...waiters,
  ...memory,
  fan,
  startup,
  pending,
];
