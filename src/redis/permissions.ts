/** What Redis refuses for want of a permission (ACL), and the rule that grants it. */

/** What a call needs, as far as Redis may leave it unsaid. */
export interface Needs {
  readonly key?: string | null;
  readonly channel?: string;
  /** Who asked: `"user 'worker'"`. */
  readonly user?: string;
  /** Its script: before 7.2 Redis does not say which of the commands in it was refused. */
  readonly lua?: string;
}

/** Within a script the refusal is an ordinary error. */
const DENIED = /^NOPERM\b|\b(?:The user executing the script|ACL failure in script)\b/;
const COMMAND = /the '([^']+)' command/;
const SCRIPTING: readonly string[] = ['eval', 'evalsha'];
/** The part of a key that is the same for all tasks or groups, with a prefix of one's own. */
const FIXED_PART = /^.*?celery-task(?:set)?-meta-/s;

/** Whether an error reply says that the user lacks a permission. */
export function isDenied(message: string): boolean {
  return DENIED.test(message);
}

/**
 * How to grant what was refused: `'ACL SETUSER <user> +get'`. Undefined for any other error, and where it cannot be told.
 *
 * @param message - the error reply
 */
export function grantFor(message: string, needs: Needs = {}): string | undefined {
  const rules = isDenied(message) ? missing(message, needs) : [];
  return rules.length === 0 ? undefined : `ACL SETUSER <user> ${rules.join(' ')}`;
}

/** The rule for all keys of the same kind: `'~celery-task-meta-*'`. */
export function keyRule(key: string): string {
  return `~${patternOf(key)}`;
}

/** The same for channels: `'&celery-task-meta-*'`. */
export function channelRule(channel: string): string {
  return `&${patternOf(channel)}`;
}

function missing(message: string, { key, channel, lua = '' }: Needs): string[] {
  const named = COMMAND.exec(message)?.[1]?.toLowerCase();
  if (named !== undefined) return (SCRIPTING.includes(named) ? SCRIPTING : [named]).map((command) => `+${command}`);
  if (message.includes('channel')) return channel === undefined ? [] : [channelRule(channel)];
  if (/\bkeys?\b/.test(message)) return typeof key === 'string' ? [keyRule(key)] : [];
  return commandsOf(lua).map((command) => `+${command}`);
}

/** The commands that a script runs, in lower case, each once. */
function commandsOf(lua: string): readonly string[] {
  const calls = [...lua.matchAll(/\bredis\.p?call\(([^,)]*)/g)];
  const names = calls.flatMap(([, name = '']) => [...name.matchAll(/['"](\w+)['"]/g)]);
  return [...new Set(names.map(([, name = '']) => name.toLowerCase()))].sort();
}

function patternOf(name: string): string {
  const fixed = FIXED_PART.exec(name)?.[0];
  return fixed === undefined ? name : `${fixed}*`;
}
