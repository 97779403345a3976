/**
 * A worker in TypeScript: takes tasks from its queue and stores what comes of them, for whoever awaits them.
 *
 * On SIGTERM or SIGINT it ends the task under way and stores what came of it, then leaves.
 */
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { EncodeError, RedisBackend, type StoreOptions, type TaskState } from 'celery-redis-backend';
import { Broker, type TaskMessage } from './broker.ts';
import { settings } from './settings.ts';

/** What a task may use besides its arguments. */
interface TaskContext {
  /** Tells those who await the task how far it is. */
  progress(meta: unknown): Promise<unknown>;
}

type TaskFunction = (args: readonly never[], context: TaskContext) => unknown;

class CardDeclined extends Error {}

const tasks: Readonly<Record<string, TaskFunction>> = {
  'typescript.add': ([x, y]: readonly number[]) => (x ?? 0) + (y ?? 0),
  'typescript.fail': ([reason]: readonly string[]) => {
    throw new CardDeclined(reason);
  },
  'typescript.progress': async ([steps = 0]: readonly number[], context) => {
    for (let done = 1; done <= steps; done++) {
      await context.progress({ done, of: steps });
      await setTimeout(200);
    }
    return steps;
  },
};

const worker = `typescript@${hostname()}`;
const broker = new Broker(settings.brokerUrl);
const backend = new RedisBackend({}, settings.backend);

/** What came of a task: its value, or what it threw. */
async function outcome(execute: () => unknown): Promise<[TaskState, unknown]> {
  try {
    return ['SUCCESS', await execute()];
  } catch (error) {
    return ['FAILURE', error];
  }
}

/** Stores how a task ended. A value that cannot be written is a failure of the task, as in Celery. */
async function finish(id: string, state: TaskState, result: unknown, options: StoreOptions): Promise<void> {
  try {
    await backend.storeResult(id, result, state, options);
  } catch (error) {
    // A store that fails for want of Redis says nothing about the task.
    if (!(error instanceof EncodeError)) throw error;
    await backend.storeResult(id, error, 'FAILURE', options);
  }
}

async function run(message: TaskMessage): Promise<void> {
  const { id, task, args } = message;
  const request = { ...message, hostname: worker };
  const execute = tasks[task ?? ''];
  if (!execute) {
    const unknown = { exc_type: 'NotRegistered', exc_message: [task], exc_module: 'celery.exceptions' };
    await backend.storeResult(id, unknown, 'FAILURE', { request });
    return;
  }
  await backend.storeResult(id, { pid: process.pid, hostname: worker }, 'STARTED', { request });
  const progress = (meta: unknown): Promise<unknown> => backend.storeResult(id, meta, 'PROGRESS', { request });
  const [state, result] = await outcome(() => execute(args as never[], { progress }));
  await finish(id, state, result, { request });
  console.log(`${task ?? ''}[${id}] ${state}`);
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    stop.abort();
  });
}

await backend.connect();
console.log(`${worker} ready, takes tasks from ${settings.typescriptQueue}`);
while (!stop.signal.aborted) {
  const message = await broker.take(settings.typescriptQueue, 1);
  // The broker of this example cannot take a message back, so that what was not stored is lost; others can.
  if (message) await run(message).catch(console.error);
}
broker.close();
// Last, when no task is under way: it refuses every store after it.
await backend.close();
console.log(`${worker} left`);
