/** The door of `celery-redis-backend/celery-ts`. */
export type { Swallowed, SwallowedObserver } from '../swallowed.ts';
export type { CeleryTsBackendOptions, CeleryTsGetOptions, CeleryTsMessage } from './backend.ts';
export { CeleryTsBackend, createCeleryTsBackend } from './backend.ts';
