/** The users of docs/security.md, as it has them, so that guide and tests cannot drift apart. */
import { readFileSync } from 'node:fs';
import type { RedisServer } from './redis.ts';

const guide = readFileSync('docs/security.md', 'utf8');

/** A user of Redis, with a password. */
export interface AclUser {
  readonly name: string;
  readonly password: string;
  /** Commands, keys and channels, in the order of the guide. */
  readonly rules: readonly string[];
}

/** The user of the line `ACL SETUSER <name> ...`. */
export function documentedUser(name: string): AclUser {
  const line = guide.split('\n').find((each) => each.startsWith(`ACL SETUSER ${name} `));
  const [, , , ...words] = (line ?? '').split(' ');
  const fixed = ['reset', 'on', 'resetchannels', '-@all'];
  const password = words.find((word) => word.startsWith('>'))?.slice(1);
  if (password === undefined) throw new Error(`docs/security.md has no user ${name}`);
  return { name, password, rules: words.filter((word) => !fixed.includes(word) && !word.startsWith('>')) };
}

/** The rules in the row of a part. Those that it only mentions are in no code of their own. */
export function documentedRules(part: string): readonly string[] {
  const row = guide.split('\n').find((each) => each.startsWith(`| ${part} `));
  if (row === undefined) throw new Error(`docs/security.md has no row for ${part}`);
  const [, , cell = ''] = row.replaceAll('\\|', '\u0000').split('|');
  const codes = [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.split(' '));
  return codes.map((rule) => rule.replaceAll('\u0000', '|')).filter((rule) => /^[+~&%]/.test(rule));
}

/** Makes the user, with these rules and no others. */
export async function setUser(
  server: Pick<RedisServer, 'cli'>,
  { name, password, rules }: AclUser,
  without: readonly string[] = [],
): Promise<void> {
  const granted = rules.filter((rule) => !without.includes(rule));
  await server.cli('ACL', 'SETUSER', name, 'reset', 'on', `>${password}`, 'resetchannels', '-@all', ...granted);
}

/** The user with more rules. */
export function withRules(user: AclUser, ...rules: readonly string[]): AclUser {
  return { ...user, rules: [...user.rules, ...rules] };
}

/** `name:password@`, for a URL. */
export function loginOf({ name, password }: AclUser): string {
  return `${name}:${password}@`;
}

/** What users were refused: `'command setex of results'`. */
export async function denials(server: Pick<RedisServer, 'cli'>): Promise<readonly string[]> {
  const log = (await server.cli('ACL', 'LOG')) as unknown[][];
  return log.map((entry) => {
    const field = (name: string): string => String(entry[entry.indexOf(name) + 1]);
    return `${field('reason')} ${field('object')} of ${field('username')}`;
  });
}
