/** What a server tells of itself, as far as this user may ask. */
import type { Master } from '../../redis/driver.ts';
import { isRefusal } from './check.ts';

/** What was read of one server; undefined where it was refused. */
export interface Facts {
  /** The fields of INFO. */
  readonly info: ReadonlyMap<string, string> | undefined;
  /** Its settings, those of {@link SETTINGS}. */
  readonly config: ReadonlyMap<string, string> | undefined;
  /** Its clock less ours, in milliseconds, and how far that may be off. */
  readonly clock: { readonly offsetMs: number; readonly errorMs: number } | undefined;
  /** The user that this connection is. */
  readonly user: string | undefined;
  /** Whether anybody may be the default user; false where it cannot be told. */
  readonly open: boolean;
}

const SETTINGS = ['maxmemory', 'maxmemory-policy', 'appendonly', 'save', 'client-output-buffer-limit'];

/** Commands: INFO, CONFIG GET, TIME, ACL WHOAMI, ACL GETUSER. @throws BackendError when it does not answer */
export async function readFacts(server: Master): Promise<Facts> {
  const info = await asked(server, 'INFO');
  const settings = await Promise.all(SETTINGS.map((name) => asked(server, 'CONFIG', 'GET', name)));
  const config = new Map(settings.flatMap((reply) => pairOf(reply)));
  const user = await asked(server, 'ACL', 'WHOAMI');
  const flags = JSON.stringify((await asked(server, 'ACL', 'GETUSER', 'default')) ?? null);
  return {
    info: typeof info === 'string' ? parseInfo(info) : undefined,
    config: config.size > 0 ? config : undefined,
    clock: await readClock(server),
    user: typeof user === 'string' ? user : undefined,
    open: flags.includes('"on"') && flags.includes('"nopass"'),
  };
}

/** The fields of a reply of INFO. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^([^#:\r\n]+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]));
}

/** A reply, `undefined` where Redis refuses. */
async function asked({ call }: Master, command: string, ...words: string[]): Promise<unknown> {
  try {
    return await call(command, ...words);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

async function readClock(server: Master): Promise<Facts['clock']> {
  const beforeMs = Date.now();
  const reply = await asked(server, 'TIME');
  const afterMs = Date.now();
  if (!Array.isArray(reply)) return undefined;
  const serverMs = Number(reply[0]) * 1000 + Number(reply[1]) / 1000;
  return { offsetMs: serverMs - (beforeMs + afterMs) / 2, errorMs: (afterMs - beforeMs) / 2 };
}

/** A reply of CONFIG GET: a list of RESP2, or an object. */
function pairOf(reply: unknown): [string, string][] {
  if (Array.isArray(reply)) return reply.length === 2 ? [[String(reply[0]), String(reply[1])]] : [];
  return typeof reply === 'object' && reply !== null
    ? Object.entries(reply).map(([name, value]) => [name, String(value)])
    : [];
}
