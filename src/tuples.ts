/**
 * The tuples that stand for results, as they come from the wire.
 *
 * @see celery.result.result_from_tuple
 */
import { DecodeError } from './errors.ts';
import { isId } from './keys.ts';
import type { GroupTuple, ResultTuple } from './meta.ts';
import { describe } from './serializers/excerpt.ts';

/** Tuples inside one another: parents of parents, groups in groups. */
const MAX_DEPTH = 1000;

/**
 * Brings a tuple from the wire into its one form. An id may stand for its head, as in `['a', null]`, and anything empty
 * for no parent.
 *
 * @throws DecodeError when it is no such tuple, or goes deeper than 1,000
 */
export function parseTuple(value: unknown): ResultTuple {
  return parse(value, 0);
}

/** The same for the tuple of a group. @throws DecodeError */
export function parseGroup(value: unknown): GroupTuple {
  const tuple = parseTuple(value);
  if (isGroupTuple(tuple)) return tuple;
  throw new DecodeError(`Expected the tuple of a group; got that of task ${describe(tuple[0][0])}.`);
}

/** Whether a tuple stands for a group. */
export function isGroupTuple(tuple: ResultTuple): tuple is GroupTuple {
  return tuple[1] !== null;
}

function parse(value: unknown, depth: number): ResultTuple {
  if (depth > MAX_DEPTH) throw new DecodeError(`Expected the tuple of a result; got one deeper than ${MAX_DEPTH}.`);
  if (!isPair(value)) throw malformed(value);
  const [head, members] = value;
  const [id, parent] = isPair(head) ? head : [head, null];
  if (!isId(id)) throw malformed(id);
  if (members !== null && !Array.isArray(members)) throw malformed(members);
  return [
    [id, isNone(parent) ? null : parse(parent, depth + 1)],
    members === null ? null : members.map((member) => parse(member, depth + 1)),
  ];
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2;
}

/** What is false in Python. */
function isNone(value: unknown): boolean {
  return !value || (typeof value === 'object' && Object.keys(value).length === 0);
}

function malformed(part: unknown): DecodeError {
  return new DecodeError(`Expected the tuple of a result, [[id, parent], members]; got ${describe(part)} in it.`);
}
