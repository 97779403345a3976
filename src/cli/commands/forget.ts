/** `forget`: deletes results. */
import { mapInOrder } from '../in-order.ts';
import { fail, idsOf, type Session } from '../session.ts';

/** How many deletions are under way at a time. */
const MOST_DELETIONS = 500;

/** Deletes the result of each task, or what is saved of each group. Command: DEL. @param groups - the ids are of groups */
export async function forgetEach(session: Session, given: readonly string[], groups: boolean): Promise<void> {
  const { backend, printer } = session;
  const name = groups ? 'group_id' : 'task_id';
  const remove = async (
    id: string,
  ): Promise<{ readonly id: string; readonly failure?: { readonly error: unknown } }> => {
    try {
      await (groups ? backend.deleteGroup(id) : backend.forget(id));
      return { id };
    } catch (error) {
      return { id, failure: { error } };
    }
  };
  for await (const { id, failure } of mapInOrder(idsOf(session, given), MOST_DELETIONS, remove)) {
    if (failure) await fail(session, name, id, failure.error);
    else if (printer.json) await printer.value({ [name]: id, forgotten: true });
    else await printer.line(`${id}\tforgotten`);
  }
}
