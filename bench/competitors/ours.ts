/** This package, as it is by default, and as it was built. */
import { RedisBackend } from '../../dist/esm/index.js';
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
