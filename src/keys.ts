/**
 * Key names and ids. A channel has the name of its key.
 *
 * @see celery.backends.base.KeyValueStoreBackend
 */
import { InvalidArgumentError } from './errors.ts';
import type { ChordKeys } from './ports.ts';

/** The key names of one backend. */
export interface Keys {
  /** `celery-task-meta-<id>` */
  task(taskId: string): string;
  /** `celery-taskset-meta-<id>` */
  group(groupId: string): string;
  /** `celery-taskset-meta-<id>.j`, `.t`, `.s`, and our own `.c` */
  chord(groupId: string): ChordKeys;
  /** The task id of a task key. */
  taskId(key: string): string;
}

/** @param prefix - `globalKeyprefix`; an underscore follows it unless it ends in `:`, `_`, `-` or `.` */
export function createKeys(prefix: string): Keys {
  const head = prefix === '' || /[:_.-]$/.test(prefix) ? prefix : `${prefix}_`;
  const task = `${head}celery-task-meta-`;
  const group = `${head}celery-taskset-meta-`;
  return {
    task: (taskId) => task + taskId,
    group: (groupId) => group + groupId,
    chord: (groupId) => {
      const key = group + groupId;
      return { parts: `${key}.j`, added: `${key}.t`, size: `${key}.s`, lock: `${key}.c` };
    },
    taskId: (key) => key.slice(task.length),
  };
}

const MAX_ID_BYTES = 512;
const ORDINARY_ID = /^[\x21-\x7e]{1,512}$/;

/**
 * Refuses ids that would collide or mislead: they are strings of 1 to 512 bytes, well-formed, without control characters.
 *
 * @throws InvalidArgumentError with the code `CELERY_INVALID_ID`
 */
export function checkId(id: unknown, what = 'task id'): asserts id is string {
  if (typeof id === 'string' && ORDINARY_ID.test(id)) return;
  const flaw = idFlaw(id);
  if (flaw) {
    throw new InvalidArgumentError(`${what}: expected a string of 1 to ${MAX_ID_BYTES} bytes; got ${flaw}.`, {
      code: 'CELERY_INVALID_ID',
    });
  }
}

/** The same as a question. */
export function isId(id: unknown): id is string {
  return (typeof id === 'string' && ORDINARY_ID.test(id)) || idFlaw(id) === undefined;
}

function idFlaw(id: unknown): string | undefined {
  if (typeof id !== 'string')
    return id === null ? 'null' : Array.isArray(id) ? 'an array' : `a value of type ${typeof id}`;
  if (id === '') return 'an empty string';
  const bytes = Buffer.byteLength(id);
  if (bytes > MAX_ID_BYTES) return `${bytes} bytes`;
  if (!id.isWellFormed()) return 'a string with a lone surrogate';
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f-\x9f]/.test(id)) return 'a string with a control character';
  return undefined;
}
