/** `group`: saved groups, and how their members stand. */
import { CeleryError } from '../../errors.ts';
import { type GroupTuple, PENDING_META, type ResultTuple, type TaskMeta } from '../../meta.ts';
import { PROPAGATE_STATES } from '../../states.ts';
import { isGroupTuple } from '../../tuples.ts';
import { EXIT } from '../exit-codes.ts';
import { fail, idsOf, type Session } from '../session.ts';
import { plainMeta } from '../text.ts';
import { showMeta } from './read.ts';

/** Prints the members of each group with their states: in JSON one line a group. Commands: GET, MGET. */
export async function showGroups(session: Session, given: readonly string[]): Promise<void> {
  for await (const groupId of idsOf(session, given)) {
    try {
      await showGroup(session, groupId);
    } catch (error) {
      if (!(error instanceof CeleryError)) throw error;
      await fail(session, 'group_id', groupId, error);
    }
  }
}

async function showGroup(session: Session, groupId: string): Promise<void> {
  const { backend, printer, outcome } = session;
  const group = await backend.restoreGroup(groupId);
  if (!group) {
    outcome.add(EXIT.failed);
    if (printer.json) await printer.value({ group_id: groupId, results: null });
    else printer.note(`${groupId}: no such group is saved.`);
    return;
  }
  const taskIds = tasksOf(group);
  const metas = await backend.getMany(taskIds);
  const members = taskIds.map((taskId) => [taskId, metas.get(taskId) ?? PENDING_META] as const);
  if (members.some(([, { status }]) => PROPAGATE_STATES.has(status))) outcome.add(EXIT.failed);
  if (printer.json) {
    await printer.value({ group_id: groupId, results: members.map(([taskId, meta]) => plainMeta(taskId, meta)) });
    return;
  }
  if (printer.io.stdout.isTTY) await printer.line(printer.paint('bold', `${groupId}  ${summary(metas)}`));
  for (const [taskId, meta] of members) await showMeta(session, taskId, meta, false, false);
}

/** The tasks of a group, in order; of groups in it, theirs. */
function tasksOf(group: GroupTuple): string[] {
  const stack: ResultTuple[] = group[1].toReversed();
  const found = new Set<string>();
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (isGroupTuple(next)) stack.push(...next[1].toReversed());
    else found.add(next[0][0]);
  }
  return [...found];
}

/** `3 tasks: 2 SUCCESS, 1 PENDING` */
function summary(metas: ReadonlyMap<string, TaskMeta>): string {
  const counts = new Map<string, number>();
  for (const { status } of metas.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
  const states = [...counts].map(([status, many]) => `${many} ${status}`).join(', ');
  return `${metas.size} tasks${states === '' ? '' : `: ${states}`}`;
}
