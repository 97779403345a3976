/** This package, as it is by default, and as it was built. */
import { subscribe } from 'node:diagnostics_channel';
import { type DiagnosticEvents, RedisBackend } from '../../dist/esm/index.js';
import type { Competitor } from '../harness.ts';
import { FIRST, nodeProgram } from './program.ts';

/** `RedisBackend` of `dist`: by its path, since this folder is a package of its own. */
export const ours: Competitor = {
  name: 'celery-redis-backend',
  celery: true,
  cannot: {},
  firstAnswer: nodeProgram(`
    const { RedisBackend } = await import('${new URL('../../dist/esm/index.js', import.meta.url).href}');
    const backend = new RedisBackend({}, { url: 'redis://127.0.0.1:' + port + '/0' });
    await backend.getResult('${FIRST}');`),
  open(port) {
    const backend = new RedisBackend({}, { url: `redis://127.0.0.1:${port}/0` });
    return Promise.resolve({
      store: (taskId, { value }) => backend.storeResult(taskId, value, 'SUCCESS'),
      read: (taskId) => backend.getResult(taskId),
      wait: (taskId, timeout) =>
        timeout === undefined ? backend.waitFor(taskId) : backend.waitFor(taskId, { timeout }),
      memory: { known: (taskId) => backend.waitFor(taskId), learn: (taskId) => backend.waitFor(taskId) },
      ping: () => backend.ping(),
      close: () => backend.close(),
    });
  },
};

/** Each channel there is: the compiler misses none. */
const CHANNELS: Readonly<Record<keyof DiagnosticEvents, true>> = {
  'celery-redis-backend:connection': true,
  'celery-redis-backend:wait': true,
  'celery-redis-backend:timeout': true,
  'celery-redis-backend:healed': true,
  'celery-redis-backend:rescued': true,
  'celery-redis-backend:rejected': true,
  'celery-redis-backend:store': true,
  'celery-redis-backend:store-retry': true,
  'celery-redis-backend:swallowed': true,
  'celery-redis-backend:chord': true,
  'celery-redis-backend:warning': true,
};
const ONLY_CALLS = 'is about what each call costs';

/** The same, with a subscriber that does nothing on every diagnostics channel: what it costs that somebody listens. */
export const observed: Competitor = {
  ...ours,
  name: 'celery-redis-backend observed',
  cannot: {
    hops: ONLY_CALLS,
    reads: ONLY_CALLS,
    memory: ONLY_CALLS,
    fan: ONLY_CALLS,
    startup: ONLY_CALLS,
    pending: ONLY_CALLS,
  },
  open(port, idle) {
    for (const name of Object.keys(CHANNELS)) subscribe(name, () => undefined);
    return ours.open(port, idle);
  },
};
