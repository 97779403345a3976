/** Results that are not what the reader expects. */
import { TaskError } from './errors.ts';
import type { SchemaIssue } from './schema.ts';
import { escapeUnprintable, step } from './serializers/excerpt.ts';

/** How many issues a message names, and how many steps of a path. */
const NAMED_ISSUES = 3;
const NAMED_STEPS = 20;
/** How long a reason may be in a message, which may quote what came over the wire. */
const REASON_LENGTH = 200;

/** A task succeeded, and its result is not what the reader's schema asks for. The message says where, and of which task. */
export class ResultInvalidError extends TaskError {
  /** The name of the task, as the reader has it. */
  readonly taskName: string;
  /** Everything that the schema refuses, as its library tells it. */
  readonly issues: readonly SchemaIssue[];

  constructor(taskName: string, taskId: string, issues: readonly SchemaIssue[]) {
    const named = [...issues].slice(0, NAMED_ISSUES).map(issueText);
    const rest = issues.length > named.length ? `; and ${issues.length - named.length} more` : '';
    const message = `The result of ${taskName} (task ${taskId}) is not valid: ${named.join('; ')}${rest}.`;
    super(message, 'CELERY_RESULT_INVALID', taskId);
    this.taskName = taskName;
    // Some libraries have classes of their own for lists, which hold the whole value.
    this.issues = [...issues];
  }
}
ResultInvalidError.prototype.name = 'ResultInvalidError';

function issueText({ message, path = [] }: SchemaIssue): string {
  const steps = [...path].slice(0, NAMED_STEPS).map((segment) => {
    const key = typeof segment === 'object' ? segment.key : segment;
    return step(typeof key === 'symbol' ? String(key) : key);
  });
  const reason = escapeUnprintable(message.slice(0, REASON_LENGTH)).replace(/\.$/, '');
  return `$${steps.join('')}${path.length > NAMED_STEPS ? '...' : ''}: ${reason}`;
}
