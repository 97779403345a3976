/** The commands that a backend sends, each with what it takes to try it on keys of no task. */
import type { Keys } from '../../keys.ts';

/** What a user is for, as docs/security.md has them: `results`, `results-writer`, `results-reader`. */
export type Role = 'both' | 'worker' | 'producer';

/** All of them. */
export const ROLES: readonly Role[] = ['both', 'worker', 'producer'];

/**
 * What fails without a permission: `'results'`: stores, reads or waits; `'comfort'`: nothing, but something is slower or
 * unnamed; `'groups'`: chords, saved groups and `forget`.
 */
export type Level = 'results' | 'comfort' | 'groups';

/** One command. */
export interface Need {
  readonly level: Level;
  readonly words: readonly [command: string, ...string[]];
  readonly key?: string;
  readonly channel?: string;
  /** Whether it is not to be sent over a connection for commands, so that it can only be asked about. */
  readonly askOnly?: boolean;
  /** Whether it leaves a key without an expiry behind, unless that is removed. */
  readonly leaves?: boolean;
}

const TTL = '10';
const NO_SHA = '0'.repeat(40);

/** The names that commands are tried on. */
export interface Names {
  readonly task: string;
  readonly size: string;
  readonly added: string;
  readonly parts: string;
}

/** @param id - of no task and no group */
export function namesOf(keys: Keys, id: string): Names {
  const { size, added, parts } = keys.chord(id);
  return { task: keys.task(id), size, added, parts };
}

/** The commands of a role. Those that remove come first, for the sake of those that leave something. */
export function needsOf(role: Role, names: Names, cluster: boolean): readonly Need[] {
  const shared = [...sharedNeeds(names), ...(cluster ? CLUSTER_NEEDS : [])];
  if (role === 'worker') return [...shared, ...workerNeeds(names)];
  if (role === 'producer') return [...shared, ...producerNeeds(names)];
  return [...removals(names), ...shared, ...workerNeeds(names), ...producerNeeds(names), ...groupNeeds(names)];
}

const CLUSTER_NEEDS: readonly Need[] = [
  { level: 'results', words: ['CLUSTER', 'SLOTS'] },
  { level: 'comfort', words: ['ASKING'] },
];

/** A command on a key. */
function on(key: string, level: Level, command: string, ...words: string[]): Need {
  return { level, words: [command, key, ...words], key };
}

/** A command on a channel. */
function over(channel: string, level: Level, command: string, ...words: string[]): Need {
  return { level, words: [command, channel, ...words], channel };
}

function sharedNeeds({ task }: Names): Need[] {
  return [
    { level: 'results', words: ['PING'] },
    { level: 'comfort', words: ['INFO', 'server'] },
    { level: 'comfort', words: ['CLIENT', 'SETNAME', 'celery-redis-backend:commands:cli'] },
    on(task, 'results', 'GET'),
  ];
}

function workerNeeds({ task }: Names): Need[] {
  return [
    { level: 'results', words: ['EVAL', 'return 1', '1', task], key: task },
    { level: 'results', words: ['EVALSHA', NO_SHA, '1', task], key: task },
    on(task, 'results', 'GETRANGE', '0', '0'),
    on(task, 'results', 'SETEX', TTL, 'doctor'),
    over(task, 'results', 'PUBLISH', ''),
  ];
}

function producerNeeds({ task }: Names): Need[] {
  return [
    on(task, 'comfort', 'MGET'),
    { ...over(task, 'results', 'SUBSCRIBE'), askOnly: true },
    { ...over(task, 'comfort', 'UNSUBSCRIBE'), askOnly: true },
  ];
}

function removals({ task, size, added }: Names): Need[] {
  return [on(task, 'groups', 'DEL'), on(size, 'groups', 'DEL'), on(added, 'groups', 'EXPIRE', TTL)];
}

function groupNeeds({ task, size, added, parts }: Names): Need[] {
  return [
    on(task, 'groups', 'SET', 'doctor', 'EX', TTL),
    on(size, 'groups', 'SETEX', TTL, '1'),
    on(size, 'groups', 'PEXPIRE', '10000'),
    on(size, 'groups', 'PTTL'),
    { ...on(added, 'groups', 'INCRBY', '1'), leaves: true },
    { ...on(parts, 'groups', 'ZADD', '1', 'doctor'), leaves: true },
    on(parts, 'groups', 'ZCARD'),
    on(parts, 'groups', 'ZRANGE', '0', '-1'),
    on(parts, 'groups', 'ZRANGEBYSCORE', '0', '1'),
    on(parts, 'groups', 'ZREM', 'doctor'),
    over(size, 'groups', 'PUBLISH', ''),
  ];
}
