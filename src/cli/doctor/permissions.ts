/** What this user may do: asked by ACL DRYRUN, or tried. */
import type { Master } from '../../redis/driver.ts';
import { grantFor } from '../../redis/permissions.ts';
import { type Check, type CheckStatus, isRefusal } from './check.ts';
import { type Level, type Names, type Need, needsOf, type Role } from './needs.ts';

/** What is asked, and of whom. */
export interface PermissionQuestion {
  readonly role: Role;
  readonly names: Names;
  readonly cluster: boolean;
  /** The user, where it is known. */
  readonly user: string | undefined;
}

/** What is known of one command: that it is allowed, the rules that it lacks, or nothing. */
type Verdict = 'allowed' | 'unknown' | { readonly rules: readonly string[] };
type Judge = (need: Need) => Promise<Verdict>;

const LEVELS: readonly Level[] = ['results', 'comfort', 'groups'];
const TITLES: Readonly<
  Record<Level, { readonly check: string; readonly lacking: CheckStatus; readonly means: string }>
> = {
  results: {
    check: 'permissions',
    lacking: 'fail',
    means: 'without these, stores, reads or waits fail, or waits are told late',
  },
  comfort: {
    check: 'permissions-comfort',
    lacking: 'warn',
    means: 'nothing fails without these, but connections have no names, or something takes more commands',
  },
  groups: {
    check: 'permissions-groups',
    lacking: 'warn',
    means: 'without these, chords, saved groups or forget fail',
  },
};

/**
 * Checks every permission that a role needs. Commands: ACL DRYRUN; where that may not be used, the commands themselves on
 * keys of no task, which are removed.
 *
 * @throws BackendError when the server does not answer
 */
export async function checkPermissions(server: Master, question: PermissionQuestion): Promise<readonly Check[]> {
  const needs = needsOf(question.role, question.names, question.cluster);
  const dry = await dryJudge(server, question.user);
  const verdicts: { readonly need: Need; readonly verdict: Verdict }[] = [];
  const judge = dry ?? tryJudge(server, verdicts);
  // One after another: whether one may leave something depends on those before it.
  for (const need of needs) verdicts.push({ need, verdict: await judge(need) });
  if (!dry) await cleanUp(server, question.names);
  const way = dry ? 'by ACL DRYRUN' : 'by trying';
  const present = LEVELS.filter((level) => needs.some((need) => need.level === level));
  return present.map((level) => {
    const own = verdicts.filter(({ need }) => need.level === level);
    return report(level, own, way, question.user);
  });
}

function report(
  level: Level,
  own: readonly { readonly need: Need; readonly verdict: Verdict }[],
  way: string,
  user = '<user>',
): Check {
  const { check, lacking, means } = TITLES[level];
  const rules = [...new Set(own.flatMap(({ verdict }) => (typeof verdict === 'object' ? verdict.rules : [])))];
  const untold = own.filter(({ verdict }) => verdict === 'unknown').map(({ need }) => need.words[0]);
  const allowed = own.filter(({ verdict }) => verdict === 'allowed').length;
  const rest = untold.length > 0 ? `; ${untold.join(', ')} could not be tried` : '';
  const found = `${allowed} of ${own.length} commands are allowed (${way})${rest}`;
  if (rules.length === 0) return { check, status: 'ok', found, means: 'this user may do all that is needed' };
  return { check, status: lacking, found, means, change: `ACL SETUSER ${user} ${rules.join(' ')}` };
}

/** Asks Redis, or `undefined` where that is not possible. */
async function dryJudge({ call }: Master, user: string | undefined): Promise<Judge | undefined> {
  if (user === undefined) return undefined;
  const ask = async (words: readonly string[]): Promise<string | undefined> => {
    try {
      return String(await call('ACL', 'DRYRUN', user, ...words));
    } catch (error) {
      if (isRefusal(error)) return undefined;
      throw error;
    }
  };
  if ((await ask(['PING'])) === undefined) return undefined;
  return async (need) => {
    const reply = await ask(need.words);
    if (reply === undefined) return 'unknown';
    return reply === 'OK' ? 'allowed' : lackOf(need, reply);
  };
}

/** Sends the commands. Redis looks at permissions first, so that any other refusal is none of these. */
function tryJudge({ call }: Master, before: readonly { readonly need: Need; readonly verdict: Verdict }[]): Judge {
  const mayRemove = (): boolean =>
    before.every(({ need, verdict }) => need.words[0] !== 'DEL' || verdict === 'allowed');
  return async (need) => {
    if (need.askOnly || (need.leaves && !mayRemove())) return 'unknown';
    const [command, ...words] = need.words;
    try {
      await call(command, ...words);
      return 'allowed';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (error.reply !== 'NOPERM') return 'allowed';
      return lackOf(need, error.cause instanceof Error ? error.cause.message : error.message);
    }
  };
}

/** The rules that a refusal asks for. */
function lackOf({ key, channel, words }: Need, message: string): Verdict {
  const text = message.startsWith('NOPERM') ? message : `NOPERM ${message}`;
  const grant = grantFor(text, {
    ...(key === undefined ? {} : { key }),
    ...(channel === undefined ? {} : { channel }),
  });
  const rules = grant?.split('<user> ')[1]?.split(' ');
  return { rules: rules ?? [`+${words[0].toLowerCase()}`] };
}

/** On a cluster each key by itself, wherever it is. */
async function cleanUp({ call }: Master, names: Names): Promise<void> {
  for (const key of Object.values<string>({ ...names })) {
    try {
      await call('DEL', key);
    } catch (error) {
      // What may not be removed has expired in ten seconds, and is elsewhere when it was moved.
      if (!isRefusal(error)) throw error;
    }
  }
}
