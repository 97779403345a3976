/** What a run takes place on: servers, with proxies before them. */
import type { BackendOptions } from '../../src/index.ts';
import type { RedisServer } from '../support/redis.ts';
import type { Link } from './link.ts';
import type { FaultPlan } from './plan.ts';

export interface Stage extends AsyncDisposable {
  /** The proxies of each process. */
  readonly links: readonly (readonly Link[])[];
  /** Those that may be asked about their clients and channels. */
  readonly servers: readonly RedisServer[];
  /** What the backends of a process connect with, through its proxies. */
  client(by: number): NonNullable<BackendOptions['client']>;
  /**
   * Breaks something of the servers. Resolves when it is whole again, to the places among its links of those that every
   * process has to reach then.
   */
  act(fault: FaultPlan): Promise<readonly number[]>;
  /** What is stored, by key. */
  keys(): Promise<Map<string, string>>;
}

/** Does one thing after another. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(act, act);
    this.#last = turn;
    return turn;
  }

  /** Resolves when everything was done. */
  async done(): Promise<void> {
    await Promise.allSettled([this.#last]);
  }
}

/** How each server is reached through its proxy. */
export function natMap(
  servers: readonly RedisServer[],
  links: readonly Link[],
): Record<string, { readonly host: string; readonly port: number }> {
  const host = '127.0.0.1';
  return Object.fromEntries(servers.map(({ port }, i) => [`${host}:${port}`, { host, port: links[i]?.port ?? 0 }]));
}

/** What a server has under keys of a pattern. */
export async function valuesOf(server: RedisServer, pattern: string): Promise<Map<string, string>> {
  const admin = server.admin();
  const keys = await admin.keys(pattern);
  // One by one, since a cluster refuses keys of several slots.
  const values = await Promise.all(keys.map((key) => admin.get(key)));
  return new Map(keys.map((key, i) => [key, values[i] ?? '']));
}

/** `'master'` or `'slave'`. */
export async function roleOf(server: RedisServer): Promise<string> {
  const [role] = (await server.cli('ROLE')) as [string];
  return role;
}
