/** celery-node: its `AsyncResult.get` reads the key every 500 ms. */
import celery from 'celery-node';
import type { Competitor } from '../harness.ts';
import { FIRST, nodeProgram } from './program.ts';

/** As its `createClient` has it; the broker is never used. */
export const celeryNode: Competitor = {
  name: 'celery-node',
  celery: false,
  share: 0.2,
  cannot: {
    hops: 'is not taken apart',
    cached: 'remembers a result in the object that was waited on, not by id',
    'waiters-100k': 'would send 200,000 GET a second',
    'memory-100k': 'would send 200,000 GET a second',
  },
  packages: ['celery-node'],
  firstAnswer: nodeProgram(`
    const { default: celery } = await import('celery-node');
    const url = 'redis://127.0.0.1:' + port + '/0';
    await celery.createClient(url, url).asyncResult('${FIRST}').result();`),
  async open(port) {
    const url = `redis://127.0.0.1:${port}/0`;
    const client = celery.createClient(url, url);
    const { backend } = client;
    await backend.isReady();
    return {
      store: (taskId, { value }) => backend.storeResult(taskId, value, 'SUCCESS'),
      read: async (taskId) => client.asyncResult(taskId).result() as Promise<unknown>,
      wait: (taskId, timeout) =>
        client.asyncResult(taskId).get(timeout === undefined ? 0 : timeout * 1000) as Promise<unknown>,
      // It has no other command that answers.
      ping: () => backend.getTaskMeta('ping'),
      close: async () => {
        await backend.disconnect();
      },
    };
  },
};
