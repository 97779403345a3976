/** Sends tasks to the Python worker and to the TypeScript worker, awaits their results, and leaves. */
import { randomUUID } from 'node:crypto';
import { RedisBackend, RemoteError } from 'celery-redis-backend';
import { Canvas, signature } from 'celery-redis-backend/canvas';
import { Broker } from './broker.ts';
import { settings } from './settings.ts';

const broker = new Broker(settings.brokerUrl);
const backend = new RedisBackend({}, settings.backend);
const canvas = new Canvas({ send: (message) => broker.send(message) });

/** Sends a task and tells of every state until it is ready. */
async function call(queue: string, task: string, ...args: unknown[]): Promise<void> {
  const id = randomUUID();
  await canvas.apply(signature(task, args, { options: { queue, task_id: id } }));
  const name = `${task}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
  try {
    const value = await backend.waitFor(id, {
      timeout: settings.resultTimeout,
      onMessage: ({ status, result }) => {
        if (status === 'PROGRESS') console.log(`${name} is at`, result);
      },
    });
    console.log(`${name} =`, value);
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    console.log(`${name} failed with ${error.excType}: ${error.message}`);
  }
}

try {
  await backend.connect();
  for (const [language, queue] of [
    ['python', settings.pythonQueue],
    ['typescript', settings.typescriptQueue],
  ] as const) {
    await call(queue, `${language}.add`, 2, 3);
    await call(queue, `${language}.progress`, 3);
    await call(queue, `${language}.fail`, 'the card was declined');
  }
} finally {
  broker.close();
  await backend.close();
}
