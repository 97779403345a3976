/** Messages of tasks, and what a worker does with them. */
import fc from 'fast-check';
import { requestFromMessage, type TaskMessage, type TaskRequest } from '../../src/index.ts';
import { Finding, Kind } from './judge.ts';
import { type Reader, reader } from './readers.ts';
import { signature } from './shapes.ts';
import { members, plain, shaped, type Wild, wild, word } from './wild.ts';
import { World } from './world.ts';

/** A message has many fields, one of which is enough to have it refused. */
const RIGHT = 250;
const GROUP = 'group-m';

/** Texts where nothing but a text will do. */
const named = (...names: readonly string[]): fc.Arbitrary<Wild> => fc.constantFrom<Wild>(...names, null);
const args = fc.array(wild, { maxLength: 2 });
const kwargs = wild.map((value) => members([['a', value]]));

const headers = shaped(
  {
    id: fc.constantFrom('task-m', 'task-n', '__proto__'),
    task: fc.constantFrom('app.add', 'constructor'),
    retries: fc.constantFrom<Wild>({ token: '1' }, null),
    group: fc.constantFrom<Wild>(GROUP, GROUP, GROUP, null),
    group_index: fc.constantFrom<Wild>({ token: '0' }, { token: '-1' }, { token: '9007199254740991' }, null),
    parent_id: named('task-p', '__proto__'),
    root_id: named('task-r', ''),
    stamps: fc.array(fc.tuple(word, wild), { maxLength: 2 }).map(members),
    stamped_headers: fc.array(word, { maxLength: 2 }),
    ignore_result: fc.constantFrom<Wild>(true, false, false, null),
  },
  RIGHT,
);

/** Signatures as they pass the first look: it is at `task` alone. */
const task = fc
  .tuple(fc.constantFrom('app.add', 'celery.group', 'celery.chain', 'celery.chord'), signature)
  .map(([name, given]): Wild => {
    const entries = typeof given === 'object' && given !== null && 'members' in given ? given.members : [];
    return members([...entries.filter(([key]) => key !== 'task'), ['task', name]]);
  });
const tasks = fc.array(task, { minLength: 1, maxLength: 3 });
const orNull = (good: fc.Arbitrary<Wild>): fc.Arbitrary<Wild> =>
  fc.oneof({ arbitrary: good, weight: 2 }, fc.constant(null));

const embed = shaped(
  { chord: orNull(task), chain: orNull(tasks), errbacks: orNull(tasks), callbacks: orNull(tasks) },
  RIGHT,
);

/** A task's message, its body decoded: most are read. */
export const taskMessage: fc.Arbitrary<Wild> = shaped(
  {
    headers,
    properties: shaped({ delivery_info: shaped({ routing_key: word }, RIGHT) }, RIGHT),
    body: fc.tuple(args, kwargs, embed),
  },
  RIGHT,
);

/** What becomes of a task. */
type End = 'failure' | 'done' | 'retry' | 'revoked';

interface Work {
  readonly message: Wild;
  readonly end: End;
  /** The size of its chord. */
  readonly size: number;
}

const work: fc.Arbitrary<Work> = fc.record({
  message: taskMessage,
  end: fc.constantFrom<End[]>('failure', 'failure', 'failure', 'failure', 'done', 'retry', 'revoked'),
  size: fc.constantFrom(0, 1, 1, 1, 2),
});

function mark({ backend }: World, end: End, id: string, request: TaskRequest): Promise<unknown> {
  if (end === 'done') return backend.markAsDone(id, 1, { request });
  if (end === 'retry') return backend.markAsRetry(id, new Error('again'), { request });
  if (end === 'revoked') return backend.markAsRevoked(id, 'no more', { request });
  return backend.markAsFailure(id, new Error('boom'), { request });
}

/** Reads a message, and marks its task. */
async function worked(world: World, { message, end, size }: Work): Promise<unknown> {
  const { backend } = world;
  const request = requestFromMessage(plain(message) as TaskMessage, { hostname: 'w@h' });
  const { id = '', chain, errbacks, chord, group } = request;
  await backend.setChordSize(GROUP, size);
  await backend.markAsStarted(id, {}, { request });
  const outcome = await mark(world, end, id, request);
  if (end !== 'failure') return new Kind(end, outcome);
  if (outcome !== 'ignored' && (await backend.getState(id)) !== 'FAILURE')
    throw new Finding('the failure is not stored');
  if (errbacks && errbacks.length > 0 && world.failed === 0) throw new Finding('the error callbacks were not sent');
  const parts = [chain && 'chain', errbacks && 'errbacks', chord && group && 'chord'].filter(Boolean);
  return new Kind(['failure', ...parts].join(' '), outcome);
}

/** A worker with a memory of its own for each message. */
export function messageReader(): Reader {
  return reader('message', 3, work, async (given) => {
    const world = new World('json');
    try {
      return await worked(world, given);
    } finally {
      await world.close();
    }
  });
}
