/** The door of `celery-redis-backend/celery-node`. */
export type { Swallowed, SwallowedObserver } from '../swallowed.ts';
export type { AttachClientOptions } from './client.ts';
export { attachClient } from './client.ts';
export type {
  CeleryNodeBase,
  CeleryNodeBroker,
  CeleryNodeClient,
  CeleryNodeDelivery,
  CeleryNodeMessage,
  CeleryNodeResult,
  CeleryNodeWorker,
} from './types.ts';

export type { AttachWorkerOptions } from './worker.ts';
export { attachWorker } from './worker.ts';
