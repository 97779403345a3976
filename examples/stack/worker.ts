/**
 * A worker in TypeScript: takes tasks from its queue and stores what comes of them, for whoever awaits them.
 *
 * On SIGTERM or SIGINT it ends the task under way and stores what came of it, then leaves.
 */
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import {
  EncodeError,
  RedisBackend,
  requestFromMessage,
  type TaskMessage,
  type TaskRequest,
} from 'celery-redis-backend';
import { Canvas } from 'celery-redis-backend/canvas';
import { Broker } from './broker.ts';
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
  'typescript.total': ([values = []]: readonly (readonly number[])[]) => values.reduce((sum, value) => sum + value, 0),
  'typescript.fail': ([reason]: readonly string[]) => {
    throw new CardDeclined(reason);
  },
  'typescript.progress': async ([steps = 0]: readonly number[], context) => {
    for (let current = 1; current <= steps; current++) {
      await context.progress({ current, total: steps });
      await setTimeout(200);
    }
    return steps;
  },
};

const worker = `typescript@${hostname()}`;
const broker = new Broker(settings.brokerUrl);
const canvas = new Canvas({ send: (message) => broker.send(message) });
// The last part of a chord has the backend send the chord's body.
const backend = new RedisBackend({ ...canvas.hooks }, settings.backend);

/** Runs a task, sends what follows it, and stores what came of it. */
async function run(message: TaskMessage): Promise<void> {
  const request = requestFromMessage(message, { hostname: worker });
  const { id = '', task, args } = request;
  const execute = tasks[task ?? ''];
  if (!execute) {
    const unknown = { exc_type: 'NotRegistered', exc_message: [task], exc_module: 'celery.exceptions' };
    await backend.markAsFailure(id, unknown, { request });
    return;
  }
  await backend.markAsStarted(id, { pid: process.pid, hostname: worker }, { request });
  const progress = (meta: unknown): Promise<unknown> => backend.updateState(id, 'PROGRESS', meta, { request });
  let value: unknown;
  try {
    value = await execute(args as never[], { progress });
  } catch (error) {
    await backend.markAsFailure(id, error, { request });
    console.log(`${task ?? ''}[${id}] FAILURE`);
    return;
  }
  await finish(id, value, { ...request, children: await canvas.sendNext(request, value) });
  console.log(`${task ?? ''}[${id}] ready`);
}

/** Stores the value of a task. One that cannot be written is a failure of the task, as in Celery. */
async function finish(id: string, value: unknown, request: TaskRequest): Promise<void> {
  try {
    await backend.markAsDone(id, value, { request });
  } catch (error) {
    // A store that fails for want of Redis says nothing about the task.
    if (!(error instanceof EncodeError)) throw error;
    await backend.markAsFailure(id, error, { request });
  }
}

/** Seconds that a look for the next task takes at most. Without Redis it takes as long as that is away. */
const LOOK = 1;

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    stop.abort();
  });
}

await backend.connect();
console.log(`${worker} ready, takes tasks from ${settings.typescriptQueue}`);
const left = once(stop.signal, 'abort').then(() => setTimeout(2000 * LOOK, undefined));
while (!stop.signal.aborted) {
  const message = await Promise.race([broker.take(settings.typescriptQueue, LOOK), left]);
  // The broker of this example cannot take a message back, so that what was not stored is lost; others can.
  if (message) await run(message).catch(console.error);
}
broker.close();
// Last, when no task is under way: it refuses every store after it.
await backend.close();
console.log(`${worker} left`);
