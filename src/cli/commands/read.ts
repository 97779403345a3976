/** `get` and `status`: results as they are now. */
import type { TaskMeta } from '../../meta.ts';
import { PROPAGATE_STATES } from '../../states.ts';
import { EXIT } from '../exit-codes.ts';
import { mapInOrder } from '../in-order.ts';
import type { Printer } from '../io.ts';
import { fail, idsOf, type Session } from '../session.ts';
import { paintState } from '../style.ts';
import { manyLines, plainMeta, shownValue, toJson } from '../text.ts';

/** How many reads are under way at a time. */
const MOST_READS = 500;

/** What was read of a task. */
interface Reading {
  readonly taskId: string;
  readonly meta?: TaskMeta;
  readonly error?: unknown;
}

/**
 * Reads metas, in the order of the ids. Commands: MGET for those that are there at once, else GET.
 *
 * @param show - prints one
 */
async function readEach(
  session: Session,
  given: readonly string[],
  show: (taskId: string, meta: TaskMeta) => Promise<void>,
): Promise<void> {
  const read = async (taskId: string): Promise<Reading> => {
    try {
      return { taskId, meta: await session.backend.getTaskMeta(taskId) };
    } catch (error) {
      return { taskId, error };
    }
  };
  for await (const { taskId, meta, error } of mapInOrder(idsOf(session, given), MOST_READS, read)) {
    if (!meta) {
      await fail(session, 'task_id', taskId, error);
      continue;
    }
    if (PROPAGATE_STATES.has(meta.status)) session.outcome.add(EXIT.failed);
    await show(taskId, meta);
  }
}

/** Prints the state of each task. */
export async function showStatus(session: Session, given: readonly string[]): Promise<void> {
  const { printer } = session;
  await readEach(session, given, (taskId, { status }) =>
    printer.json
      ? printer.value({ task_id: taskId, status })
      : printer.line(`${taskId}\t${paintState(printer.paint, status)}`),
  );
}

/** Prints the meta of each task; on a terminal with what else is known of it. @param values - print values alone */
export async function showMetas(session: Session, given: readonly string[], values: boolean): Promise<void> {
  await readEach(session, given, (taskId, meta) => showMeta(session, taskId, meta, values, true));
}

/** Prints one meta, in one line unless `details` are wanted and there is a terminal. */
export async function showMeta(
  { printer }: Session,
  taskId: string,
  meta: TaskMeta,
  values: boolean,
  details: boolean,
): Promise<void> {
  const { status } = meta;
  if (values) await printer.line(status === 'SUCCESS' ? toJson(meta.result) : shownValue(meta));
  else await printer.line(lineOf(printer, taskId, meta));
  if (!values && !printer.json && details && printer.io.stdout.isTTY) await showDetails(printer, meta);
}

/** One meta in one line. */
export function lineOf({ json, paint }: Printer, taskId: string, meta: TaskMeta): string {
  if (json) return toJson(plainMeta(taskId, meta));
  return `${taskId}\t${paintState(paint, meta.status)}\t${shownValue(meta)}`;
}

/** Fields of the wire that are worth a line on a terminal. */
const DETAILS = ['name', 'args', 'kwargs', 'worker', 'queue', 'retries', 'date_done', 'group_id', 'parent_id'];

async function showDetails(printer: Printer, meta: TaskMeta): Promise<void> {
  const { paint } = printer;
  for (const name of DETAILS) {
    const value = meta[name];
    if (value === undefined || value === null || value === 0) continue;
    await printer.line(
      `  ${paint('dim', name.padEnd(10))}${typeof value === 'string' ? manyLines(value) : toJson(value)}`,
    );
  }
  if (typeof meta.traceback !== 'string') return;
  for (const text of manyLines(meta.traceback.trimEnd()).split('\n')) await printer.line(`  ${paint('dim', text)}`);
}
