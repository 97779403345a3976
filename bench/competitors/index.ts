/** The competitors: this package first, then the floor. */
import type { Competitor } from '../harness.ts';
import { bullmq } from './bullmq.ts';
import { celeryNode } from './celery-node.ts';
import { celeryTs } from './celery-ts.ts';
import { floor, guardedFloor } from './floor.ts';
import { observed, ours } from './ours.ts';
import { python } from './python.ts';

/** In the order of the report. */
export const competitors: readonly Competitor[] = [
  ours,
  floor,
  guardedFloor,
  observed,
  bullmq,
  celeryNode,
  celeryTs,
  python,
];
