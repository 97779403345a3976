/** `ls`: which results there are. */
import { createKeys, isId } from '../../keys.ts';
import type { TaskMeta } from '../../meta.ts';
import type { Master } from '../../redis/driver.ts';
import { resolveConfig, type Config } from '../config.ts';
import { mapInOrder } from '../in-order.ts';
import { withServers } from '../servers.ts';
import { fail, type Session } from '../session.ts';
import { paintState } from '../style.ts';

/** What `ls` takes. */
export interface ListFlags {
  /** A glob of ids. */
  readonly match?: string | undefined;
  /** Only tasks in these states. */
  readonly state?: readonly string[] | undefined;
  /** Show states, which reads each result. */
  readonly long?: boolean | undefined;
  readonly groups?: boolean | undefined;
  /** How many ids are printed at most. */
  readonly limit: number;
}

/** How many keys Redis looks at in one SCAN. It blocks for about as many microseconds. */
const COUNT = 1000;
/** How many results are read at a time. Their payloads are in memory meanwhile. */
const MOST_READS = 50;

/**
 * Prints the ids that are there, in no order. Commands: SCAN, on every master of a cluster; with states GET or MGET.
 *
 * @param session - without a backend of its own where no states are wanted
 */
export async function list(session: Session, config: Config, flags: ListFlags): Promise<void> {
  const { printer } = session;
  const states = flags.state && new Set(flags.state);
  const wantsStates = !flags.groups && (flags.long === true || states !== undefined);
  let left = flags.limit;
  await withServers(config, async ({ masters }) => {
    const ids = scanAll(await masters(), scanOf(config, flags));
    for await (const { id, meta, failure } of mapInOrder(ids, MOST_READS, read)) {
      if (failure) {
        await fail(session, 'task_id', id, failure.error);
        continue;
      }
      if (states && !states.has(meta?.status ?? '')) continue;
      if (left === 0) {
        printer.note(`there are more; these are ${flags.limit} (--limit).`);
        return;
      }
      left -= 1;
      await show(session, flags, id, meta);
    }
  });

  async function read(id: string): Promise<{
    readonly id: string;
    readonly meta?: TaskMeta | undefined;
    readonly failure?: { readonly error: unknown };
  }> {
    try {
      return { id, meta: wantsStates ? await session.backend.getTaskMeta(id) : undefined };
    } catch (error) {
      return { id, failure: { error } };
    }
  }
}

async function show({ printer }: Session, flags: ListFlags, id: string, meta: TaskMeta | undefined): Promise<void> {
  const name = flags.groups ? 'group_id' : 'task_id';
  if (printer.json) await printer.value({ [name]: id, ...(meta ? { status: meta.status } : {}) });
  else await printer.line(meta ? `${id}\t${paintState(printer.paint, meta.status)}` : id);
}

/** What is looked for. */
interface Scan {
  /** What every key begins with. */
  readonly head: string;
  readonly pattern: string;
  readonly isWanted: (id: string) => boolean;
}

function scanOf(config: Config, { groups, match = '*' }: ListFlags): Scan {
  const keys = createKeys(resolveConfig(config).globalKeyprefix);
  const head = groups ? keys.group('') : keys.task('');
  // The keys of chords begin as those of groups.
  const isWanted = (id: string): boolean => isId(id) && !(groups === true && /\.[jtsc]$/.test(id));
  return { head, pattern: `${literal(head)}${match}`, isWanted };
}

/** A text as a glob that is met by it alone. */
function literal(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}

/** The ids on all servers, each once; SCAN may give a key again while the table of keys grows. */
async function* scanAll(masters: readonly Master[], { head, pattern, isWanted }: Scan): AsyncGenerator<string> {
  const seen = new Set<string>();
  for (const { call } of masters) {
    let cursor = '0';
    do {
      const reply = (await call('SCAN', cursor, 'MATCH', pattern, 'COUNT', String(COUNT))) as [string, string[]];
      cursor = reply[0];
      for (const key of reply[1]) {
        const id = key.slice(head.length);
        if (!isWanted(id) || seen.has(id)) continue;
        seen.add(id);
        yield id;
      }
    } while (cursor !== '0');
  }
}
