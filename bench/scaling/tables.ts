/** The tables of docs/scaling.md, from what was measured. */
import { checksOf, constantsOf } from './constants.ts';
import { capacityOf, type Constants, planOf } from './model.ts';
import type { PieceName, Results } from './results.ts';

type Cell = string | number;

/** The loads of the guide. */
export const DAYS = [1e6, 10e6, 100e6] as const;
/** What the guide takes for granted: see there. */
export const ASSUMED = { peak: 5, payload: 1000, waited: 1, pending: 10, utilisation: 0.5 } as const;

const writers = {
  machine: machineTable,
  constants: constantsTable,
  stores: storesTable,
  scripts: scriptsTable,
  reads: readsTable,
  throughput: throughputTable,
  waits: waitsTable,
  results: resultsTable,
  channels: channelsTable,
  buffers: buffersTable,
  cluster: clusterTable,
  bus: busTable,
  sharded: shardedTable,
  capacity: capacityTable,
  checks: checksTable,
  plan: planTable,
} satisfies Record<string, (results: Results) => string>;

/** Puts each table where a text has its mark. @throws Error for a mark of no table */
export function fill(text: string, results: Results): string {
  return text.replace(/(<!-- table (\w+) -->\n)[^]*?(<!-- end -->)/g, (_, start: string, name: string, end: string) => {
    if (!(name in writers)) throw new Error(`no table ${name}`);
    return `${start}\n${writers[name as keyof typeof writers](results)}\n\n${end}`;
  });
}

/** The names of the tables. */
export const TABLES: readonly string[] = Object.keys(writers);

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((cells) => cells.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const isFigures = (column: number): boolean =>
    column > 0 && texts.every((cells) => /^[-+\d]|^no number/.test(cells[column] ?? ''));
  const rule = `| ${head.map((_, column) => (isFigures(column) ? '--:' : '---')).join(' | ')} |`;
  return [line(head), rule, ...texts.map(line)].join('\n');
}

/** To three digits. */
export function figure(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString('en-US', { maximumFractionDigits: 3 });
}

/** With the unit that suits. */
function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${figure(bytes / 1000 ** power)} ${units[power] ?? ''}`;
}

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`;

function machineTable(results: Results): string {
  const names: readonly PieceName[] = ['stores', 'waits', 'memory', 'cluster', 'bus', 'mixed'];
  return table(
    ['piece', 'command', 'date', 'machine', 'software'],
    names.map((name) => {
      const { where } = results[name];
      const software = `Redis ${where['redis'] ?? ''}, Node ${where['node'] ?? ''}, ioredis ${where['ioredis'] ?? ''}`;
      const command = `\`npm run bench:scaling -- --only ${name}\``;
      return [name, command, (where['date'] ?? '').slice(0, 10), where['machine'] ?? '', software];
    }),
  );
}

function constantsTable(results: Results): string {
  const c = constantsOf(results);
  const rows: [string, string, Cell, string][] = [
    ...c.store.map(({ bytes, server }): [string, string, Cell, string] => [
      `\`store\`, ${size(bytes)}`,
      'a store that comes alone: the guard, SETEX, PUBLISH',
      server,
      'µs, server',
    ]),
    ['`script`', 'the part of it that stores of one script share', c.script, 'µs, server'],
    ['`wait`', 'SUBSCRIBE, GET, the message, UNSUBSCRIBE', c.wait, 'µs, server'],
    ['`expiry`', 'a result whose time is over', c.expiry, 'µs, server'],
    ['`clusterStore`', 'a store of 300 B to a cluster of one master', c.clusterStore, 'µs, server'],
    ...c.bus.map(({ bytes, server }): [string, string, Cell, string] => [
      `\`bus\`, ${size(bytes)}`,
      'a message to one other node, both ends',
      server,
      'µs, all nodes',
    ]),
    ['`busHeader`', 'of that message, besides payload and channel', c.busHeader, 'bytes'],
    ['`storeClient`', 'a store of 300 B', c.storeClient, 'µs, process'],
    ['`waitClient`', 'a wait: register, wake', c.waitClient, 'µs, process'],
    ['`waiter`', 'a wait with a timeout, on the heap', c.waiter, 'bytes, process'],
    ['`channel`', 'a channel with one subscriber', c.channel, 'bytes, server'],
    ['`connection`', 'a connection', c.connection, 'bytes, server'],
    ['`net.storeIn`', 'a store, besides its payload', c.net.storeIn, 'bytes to the server'],
    ['`net.storeOut`', 'its reply', c.net.storeOut, 'bytes from the server'],
    ['`net.waitIn`', 'a wait', c.net.waitIn, 'bytes to the server'],
    ['`net.waitOut`', 'its replies and message, besides the payload', c.net.waitOut, 'bytes from the server'],
  ];
  return table(['constant', 'of', 'value', 'unit'], rows);
}

function storesTable({ stores: { figures } }: Results): string {
  return table(
    ['payload', 'stores a script', 'server', 'in the script', 'in SETEX', 'in PUBLISH', 'storing process'],
    figures.stores.map((each) => [
      size(each.bytes),
      each.together,
      each.server,
      each.script,
      each.setex,
      each.publish,
      each.client,
    ]),
  );
}

function scriptsTable({ stores: { figures } }: Results): string {
  return table(
    ['payload', 'a script that does nothing with it', 'SETEX and PUBLISH, of no script'],
    figures.scriptArguments.map((each) => [size(each.bytes), each.idleScript, each.commands]),
  );
}

function readsTable({ stores: { figures } }: Results): string {
  return table(
    ['payload', 'reads a command', 'server', 'reading process'],
    figures.reads.map((each) => [size(each.bytes), each.together, each.server, each.client]),
  );
}

function throughputTable({ stores: { figures } }: Results): string {
  return table(
    ['payload', 'processes', 'stores/s here', 'server busy', 'server, µs a store', 'stores/s of a whole core'],
    figures.throughput.map((each) => [
      size(each.bytes),
      each.processes,
      each.perSecond,
      percent(each.busy),
      each.server,
      1e6 / each.server,
    ]),
  );
}

function waitsTable({ waits: { figures } }: Results): string {
  return table(
    ['waits', 'payload', 'server: register', 'wake', 'process: register', 'wake', 'heap, bytes', 'longest turn, ms'],
    figures.waits.map((each) => [
      each.perSecond === null ? `${figure(each.waits)} at once` : `${figure(each.perSecond)}/s`,
      size(each.bytes),
      each.registerServer,
      each.wakeServer,
      each.registerClient,
      each.wakeClient,
      each.heap,
      each.stall,
    ]),
  );
}

function resultsTable({ memory: { figures } }: Results): string {
  return table(
    ['payload', 'results', 'expire', 'bytes a result', 'over the payload', 'MEMORY USAGE'],
    figures.results.map((each) => [
      size(each.payload),
      each.count,
      each.expires ? 'yes' : 'no',
      each.bytes,
      each.bytes - each.payload,
      each.usage,
    ]),
  );
}

function channelsTable({ memory: { figures } }: Results): string {
  return table(
    ['channels', 'bytes a channel with one subscriber', 'bytes a further subscriber'],
    figures.channels.map((each) => [figure(each.channels), each.bytes, each.again]),
  );
}

function buffersTable({ memory: { figures } }: Results): string {
  return table(
    ['payload', 'messages until the server hangs up', 'memory of the connection before'],
    figures.buffers.map((each) => [size(each.payload), each.messages, size(each.peak)]),
  );
}

function clusterTable({ cluster: { figures } }: Results): string {
  return table(
    ['masters', 'payload', 'at once', 'all nodes, µs a store', 'busiest node', 'bus messages', 'idle, µs a second'],
    figures.stores.map((each) => [
      figure(each.masters),
      size(each.bytes),
      each.together,
      each.server,
      each.busiest,
      each.messages,
      figures.idle[String(each.masters)] ?? NaN,
    ]),
  );
}

function busTable({ bus: { figures } }: Results): string {
  return table(
    ['masters', 'payload', 'bus bytes a store', 'by the payload', 'gossip, bytes a second'],
    figures.bus.map((each) => [
      figure(each.masters),
      size(each.bytes),
      each.busBytes,
      each.busBytes / each.bytes,
      each.gossip,
    ]),
  );
}

function shardedTable({ bus: { figures } }: Results): string {
  return table(
    ['masters', 'SETEX and PUBLISH', 'SETEX and SPUBLISH'],
    figures.sharded.map((each) => [figure(each.masters), each.publish, each.spublish]),
  );
}

function capacityTable(results: Results): string {
  const constants = constantsOf(results);
  const { payload, waited, utilisation } = ASSUMED;
  const load = { payload, waited, utilisation };
  const rows = [null, 3, 6, 12, 24, 48].map((masters) => {
    const perSecond = capacityOf(constants, { ...load, masters }, utilisation);
    const several = masters === null ? perSecond : capacityOf(constants, load, utilisation) * masters;
    return [masters === null ? 'one server' : `${masters} masters`, perSecond, perSecond / several];
  });
  return table(
    ['servers', 'results/s at half of each core', 'of as many servers on their own'],
    rows.map(([a, b, c]) => [a ?? '', b ?? '', percent(Number(c))]),
  );
}

function checksTable(results: Results): string {
  return table(
    ['what', 'unit', 'predicted', 'measured', 'error'],
    checksOf(results).map(({ what, unit, predicted, measured }) => {
      const error = Math.round((predicted / measured - 1) * 100);
      return [what, unit, predicted, measured, `${error > 0 ? '+' : ''}${error} %`];
    }),
  );
}

function planTable(results: Results): string {
  const plans = DAYS.map((day) => planFor(constantsOf(results), day));
  const row = (name: string, cell: (plan: (typeof plans)[number]) => Cell): Cell[] => [name, ...plans.map(cell)];
  return table(
    ['', ...DAYS.map((day) => `${day / 1e6} million a day`)],
    [
      row('results/s, on average', ({ average }) => average),
      row('results/s, at the peak', ({ average }) => average * ASSUMED.peak),
      row('cores of Redis at the peak', ({ hour }) => hour.cores),
      row('servers on their own', ({ servers }) => servers),
      row('or masters of one cluster', ({ masters }) => masters ?? 'no number will do'),
      row('cores of Redis of that cluster', ({ cluster }) => cluster?.cores ?? '-'),
      row('bytes a second on its bus', ({ cluster }) => (cluster ? size(cluster.bus) : '-')),
      row('memory, `expires` of 1 day', ({ day }) => size(day.memory)),
      row('memory, `expires` of 1 hour', ({ hour }) => size(hour.memory)),
      row('bytes a second to Redis', ({ hour }) => size(hour.netIn)),
      row('bytes a second from Redis', ({ hour }) => size(hour.netOut)),
      row('waits at once', ({ hour }) => hour.waits),
      row('cores of the storing processes', ({ hour }) => hour.storeCores),
      row('cores of the waiting processes', ({ hour }) => hour.waitCores),
      row('waiting processes', ({ waitingProcesses }) => waitingProcesses),
    ],
  );
}

function planFor(constants: Constants, results: number): ReturnType<typeof planOf> {
  return planOf(constants, { ...ASSUMED, results });
}
