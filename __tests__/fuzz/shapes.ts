/** What readers expect, with something wrong in it. */
import fc from 'fast-check';
import { SETTING_TABLE } from '../../src/setting-table.ts';
import { DEFAULTS } from '../../src/options.ts';
import { SECRET } from './judge.ts';
import { members, type Members, shaped, type Wild, wild, word } from './wild.ts';

const STATES = [
  ...['SUCCESS', 'SUCCESS', 'SUCCESS', 'FAILURE', 'FAILURE', 'RETRY', 'REVOKED', 'PENDING', 'STARTED', 'PROGRESS'],
  '__proto__',
];
const DATES = ['2026-11-22T21:33:41.821200+00:00', '2026-11-22T21:33:41', '', '275761-01-01', 'x'];
const TYPES = [
  'ValueError',
  'OSError',
  'Careless',
  'UnpickleableExceptionWrapper',
  'ChordError',
  'TaskRevokedError',
  'KeyError',
  'eval',
  'constructor',
  '\x1b[2J',
];

/** `{exc_type, exc_message, exc_module}` of every shape. */
export const exceptionInfo: fc.Arbitrary<Wild> = shaped({
  exc_type: fc.constantFrom(...TYPES),
  exc_message: fc.oneof(
    fc.array(wild, { maxLength: 4 }),
    fc.tuple(fc.constantFrom('fuzz', 'os'), fc.constantFrom('Careless', 'system'), wild, word),
    fc.tuple(fc.constant({ token: '2' }), word, word),
    word,
  ),
  exc_module: fc.constantFrom<Wild>(
    'builtins',
    'celery.exceptions',
    'celery.backends.base',
    'fuzz',
    'os',
    'process',
    null,
  ),
});

/** `[[id, parent], members]` */
const id = fc.oneof({ arbitrary: fc.constantFrom('a', 'task-a', 'task-b', '__proto__', 'toString'), weight: 20 }, word);

export const tuple: fc.Arbitrary<Wild> = fc.letrec<{ tuple: Wild }>((tie) => ({
  tuple: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: id, weight: 4 },
    { arbitrary: fc.tuple(fc.tuple(id, fc.constant(null)), fc.constant(null)), weight: 8 },
    { arbitrary: fc.tuple(fc.tuple(id, tie('tuple')), fc.constant(null)), weight: 8 },
    { arbitrary: fc.tuple(fc.tuple(id, wild), fc.constant(null)), weight: 1 },
    { arbitrary: fc.tuple(fc.tuple(id, fc.constant(null)), fc.array(tie('tuple'), { maxLength: 3 })), weight: 8 },
    fc.tuple(fc.constantFrom(5, 400, 999, 1000, 1001), fc.boolean()).map(([levels, up]) => chainOf(levels, up)),
    wild,
  ),
})).tuple;

function chainOf(levels: number, up: boolean): Wild {
  let value: Wild = [['a', null], up ? null : []];
  for (let i = 0; i < levels; i++) value = up ? [['a', value], null] : [['a', null], [value]];
  return value;
}

export const savedGroup: fc.Arbitrary<Wild> = fc.oneof(
  tuple.map((result) => members([['result', result]])),
  shaped({ result: fc.tuple(fc.tuple(id, fc.constant(null)), fc.array(tuple, { maxLength: 3 })) }),
);

/** The meta of a task. */
export function meta(id: string): fc.Arbitrary<Members> {
  return shaped({
    status: fc.constantFrom(...STATES),
    result: fc.oneof(wild, exceptionInfo),
    traceback: fc.constantFrom<Wild>(null, 'Traceback\n', '\x1b[31m'),
    children: fc.oneof<fc.Arbitrary<Wild>[]>(fc.constant(null), fc.array(tuple, { maxLength: 2 })),
    date_done: fc.constantFrom(...DATES),
    task_id: fc.constant(id),
  });
}

/** A signature, with others inside. */
export const signature: fc.Arbitrary<Wild> = fc.letrec<{ signature: Members }>((tie) => {
  const tasks = fc.array(tie('signature'), { maxLength: 3 });
  const kwargs = fc.oneof<fc.Arbitrary<Wild>[]>(
    tasks.map((all) => members([['tasks', all]])),
    fc.tuple(tasks, tie('signature')).map(([header, body]) => members([['header', header], ['body', body]])), // prettier-ignore
    wild,
    fc.constantFrom(3, 200).map(deepBody),
  );
  return {
    signature: shaped({
      task: fc.constantFrom('app.add', 'celery.group', 'celery.chain', 'celery.chord', '__proto__'),
      args: fc.array(wild, { maxLength: 2 }),
      kwargs: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant(members([])), kwargs),
      options: shaped({ task_id: word, link_error: fc.oneof(wild, tie('signature')) }),
      subtask_type: fc.constantFrom<Wild>('group', 'chain', 'chord', null),
    }),
  };
}).signature;

function deepBody(levels: number): Wild {
  let body = members([['task', 'app.last']]);
  for (let i = 0; i < levels; i++) body = members([['task', 'celery.group'], ['kwargs', members([['tasks', [body]]])]]); // prettier-ignore
  return members([['tasks', [body]]]);
}

const SCHEMES = [
  'redis',
  'rediss',
  'redis+socket',
  'valkey',
  'valkeys',
  'sentinel',
  'redis+cluster',
  'rediss+cluster',
  'memory',
  'redis+sentinel',
  'constructor',
  'toString',
  '__proto__',
  'HTTP',
  '',
];
const LOGINS = [
  '',
  `u:${SECRET}@`,
  `:${SECRET}@`,
  `${SECRET}@`,
  `u:${SECRET}/x@`,
  `u:${SECRET};x@`,
  `u:${SECRET}#@`,
  `:${SECRET}\ud83d@`,
  ':%ff%zz@',
  ':%00@',
  '@@',
];
const HOSTS = [
  'localhost',
  'h',
  '[::1]',
  '[',
  '::1',
  '',
  'a:b',
  'h:0',
  'h:65536',
  'h:1:2',
  'h:9999999999999',
  '\0',
  '%0a',
  '\u2028',
  'h:6379;b:2',
  'x'.repeat(5000),
  '\ud83d',
];
const PATHS = [
  '',
  '/',
  '/0',
  '/1',
  '/-1',
  '/1e3',
  '//',
  '/9999999999',
  '/__proto__',
  '/x\x1b[31m',
  '/run/redis.sock',
  '/%2e%ff',
  '/\ud83d',
  '/a?b',
];
const NAMES = [
  'password',
  'db',
  'ssl_cert_reqs',
  'ssl_ca_certs',
  'username',
  'client_name',
  'virtual_host',
  'master_name',
  'socket_timeout',
  '__proto__',
  'toString',
  'x\x1b[31m',
  'credential_provider',
  'y'.repeat(3000),
];

/** Mostly one of the first, which are right. */
function mostly(texts: readonly string[], right: number): fc.Arbitrary<string> {
  return fc.oneof({ arbitrary: fc.constantFrom(...texts.slice(0, right)), weight: 4 }, fc.constantFrom(...texts));
}

const server = fc.tuple(mostly(LOGINS, 4), mostly(HOSTS, 3), mostly(PATHS, 4));

/** URLs of every scheme. */
export const urls: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...SCHEMES),
    fc.oneof({ arbitrary: server.map((one) => [one]), weight: 3 }, fc.array(server, { minLength: 1, maxLength: 3 })),
    fc.array(fc.tuple(mostly(NAMES, 1), fc.oneof(word, fc.constantFrom(SECRET, 'none', '1', 'm'))), { maxLength: 2 }),
    fc.oneof({ arbitrary: fc.constant(null), weight: 5 }, word),
  )
  .map(([scheme, hosts, query, noise]) => {
    const servers = hosts.map((parts) => parts.join('')).join(';');
    const search = query.map(([name, value]) => `${name}=${value}`).join('&');
    return `${scheme}://${servers}${search === '' ? '' : `?${search}`}${noise ?? ''}`;
  });

const OPTION_NAMES = [
  ...Object.keys(DEFAULTS).filter((name) => name !== 'clock'),
  'url',
  'sentinel',
  'acceptContent',
  'connectionName',
  'credentials',
];

/** The options of a backend, or settings of Celery, each with any value. */
export function options(isConf: boolean): fc.Arbitrary<Wild> {
  const names = isConf ? [...SETTING_TABLE.keys()].map((name) => name.replace(/^.*\./, '')) : OPTION_NAMES;
  const inner = fc.array(
    fc.tuple(
      fc.constantFrom('maxRetries', 'interval_start', 'masterName', 'tls', 'maxDepth', 'ssl', 'retry_policy'),
      wild,
    ),
    { maxLength: 2 },
  );
  const value = fc.oneof<fc.Arbitrary<Wild>[]>(
    wild,
    urls,
    inner.map(members),
    fc.constantFrom({ token: '1' }, true, 'UTC', 'json'),
  );
  const entry = fc.tuple(
    fc.oneof({ arbitrary: fc.constantFrom(...names, 'result_backend_transport_options'), weight: 9 }, word),
    value,
  );
  return fc.array(entry, { maxLength: 3 }).map(members);
}
