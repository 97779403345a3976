/**
 * What is tested with what. Not every Node with every Redis and every Celery: each meets another part of the package. Node meets
 * timers, sockets and module loading; a server the scripts, permissions and pub/sub; Sentinel and a cluster the topologies; Celery
 * the wire format. ioredis is beneath all but the last, so both of its majors go with each.
 */

/** One run of tests with one set of versions; what is not named is whatever runs this. */
export interface Cell {
  readonly name: string;
  readonly node?: string;
  readonly server?: string;
  readonly celery?: string;
  /** A project of jest.config.ts. */
  readonly project: string;
  /** The files of that project, a regular expression. */
  readonly tests: string;
}

/** The oldest of each line that `engines` allows, then the newest of those that came later. */
export const NODES: readonly string[] = ['20.19.0', '22.12.0', '24', '26'];
export const SERVERS: readonly string[] = ['redis 7', 'redis 8', 'valkey 8'];

const files = (folder: string, names: string): string => `__tests__/${folder}/(${names})\\.test\\.ts$`;

const LANGUAGE = '(json|msgpack|yaml|superjson|dates|waiting|deadlines|turns|retry|diagnostics|env|cache|layers).*';
const CONNECTIONS = files('redis', 'contract|connection|reconnect|close|tls|watchdog');
/** Scripts above all: what guards a SUCCESS, of each serializer, and counts chords. */
const COMMANDS = files(
  'redis',
  'contract|store|storing|serializers|chords|chord-scenarios|acl|acl-contract|login|tls|sentinel-contract|cluster-contract',
);
const WIRE = 'recorded|json|serializers|states|values|exceptions|groups|waiting|canvas|canvas-messages';
/** The oldest and the newest Celery. */
export const CELERIES: readonly string[] = ['5.2', '5.6'];

const withBoth = (cell: Omit<Cell, 'project'>): Cell[] =>
  [5, 6].map((major) => ({ ...cell, name: `${cell.name}, ioredis ${major}`, project: `ioredis${major}` }));

/** All of them; `npm run matrix -- --list` prints their names. */
export const CELLS: readonly Cell[] = [
  ...NODES.flatMap((node) => [
    { name: `node ${node}, unit`, node, project: 'unit', tests: files('(unit|contract)', `memory|${LANGUAGE}`) },
    { name: `node ${node}, package`, node, project: 'package', tests: files('package', 'consumers') },
    ...withBoth({ name: `node ${node}`, node, tests: CONNECTIONS }),
  ]),
  ...SERVERS.flatMap((server) => withBoth({ name: server, server, tests: COMMANDS })),
  ...withBoth({ name: 'sentinel', tests: files('redis', 'sentinel|sentinel-tls') }),
  ...withBoth({ name: 'cluster', tests: files('redis', 'cluster') }),
  ...CELERIES.map((celery) => ({
    name: `celery ${celery}`,
    celery,
    project: 'interop',
    tests: files('interop', WIRE),
  })),
];
