/** The tables of docs/scaling.md, from what was measured. */
import { checksOf, constantsOf } from './constants.ts';
import { figureOf, type Results } from './figures.ts';
import { KNOTS, nameOf } from './loads.ts';
import { BUS, CHANNELS, KEPT } from './memory.ts';
import { capacityOf, type Curve, planOf, type Process, waitsOfProcess } from './model.ts';

type Cell = string | number;

/** The loads of the guide. */
export const DAYS = [1e6, 10e6, 100e6] as const;
/** What the guide takes for granted of them: see there. */
export const ASSUMED = { peak: 5, payload: 1000, waited: 1, pending: 10, perStorer: 10, utilisation: 0.5 } as const;

const writers = {
  full: fullTable,
  rates: ratesTable,
  kept: keptTable,
  cluster: clusterTable,
  capacity: capacityTable,
  process: processTable,
  constants: constantsTable,
  checks: checksTable,
  errors: errorsText,
  plan: planTable,
  machine: ({ where }: Results): string =>
    `${where['machine'] ?? ''}; Redis ${where['redis'] ?? ''}, Node ${where['node'] ?? ''}; ${(where['date'] ?? '').slice(0, 10)}.`,
} satisfies Record<string, (results: Results) => string>;

/** The names of the tables. */
export const TABLES: readonly string[] = Object.keys(writers);

/** Puts each table in the place of the paragraph after its mark. @throws Error for a mark of no table */
export function fill(text: string, results: Results): string {
  return text.replace(/(<!-- table (\w+) -->\n\n)[^]*?(?=\n\n)/g, (_, mark: string, name: string) => {
    if (!(name in writers)) throw new Error(`no table ${name}`);
    return mark + writers[name as keyof typeof writers](results);
  });
}

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((cells) => cells.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const isFigures = (column: number): boolean =>
    column > 0 && texts.every((cells) => /^[-+\d]/.test(cells[column] ?? ''));
  const rule = `| ${head.map((_, column) => (isFigures(column) ? '--:' : '---')).join(' | ')} |`;
  return [line(head), rule, ...texts.map(line)].join('\n');
}

/** To three digits. */
export function figure(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 0.1 ? 5 : 3 });
}

/** With the unit that suits. */
function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${figure(bytes / 1000 ** power)} ${units[power] ?? ''}`;
}

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`;

function fullTable(results: Results): string {
  const of = (name: string): number => figureOf(results, name);
  const rows = ['300x1', '300x16', '10000x1', '100000x1', '1000000x1'].map((way) => {
    const [bytes, together] = way.split('x').map(Number);
    const [guarded, plain] = [of(`full/guarded/${way}/server`), of(`full/plain/${way}/server`)];
    const busy = percent(of(`full/guarded/${way}/busy`));
    return [
      size(bytes ?? NaN),
      together ?? NaN,
      of(`full/guarded/${way}/perSecond`),
      busy,
      guarded,
      1e6 / guarded,
      plain,
    ];
  });
  const head = ['payload', 'stores a write', 'stores/s', 'server busy', 'µs a store', 'stores/s of a full core'];
  return table([...head, 'µs of SETEX, PUBLISH'], rows);
}

function ratesTable(results: Results): string {
  const { seldom, paced, often } = KNOTS;
  const rows: Cell[][] = [seldom, paced, often].map((way) => {
    const keys = ['server', 'reads', 'storeClient', 'waitClient'].map((key) =>
      figureOf(results, `${nameOf(way)}/${key}`),
    );
    return [`${figure(way.perSecond)} results/s`, ...keys];
  });
  const of = (key: string): number => figureOf(results, `burst/300/${key}`);
  const most = [of('storeServer') + of('waitServer'), '-', of('storeClient'), of('waitClient')];
  return table(
    ['load', 'server', 'its reads', 'storing process', 'waiting process'],
    [...rows, [`10,000 at once, ${figure(of('wakes'))} wakes/s`, ...most]],
  );
}

function keptTable(results: Results): string {
  const kept = KEPT.map(([bytes, count]): Cell[] => {
    const each = figureOf(results, `kept/${bytes}x${count}/bytes`);
    return [`a result of ${size(bytes)}`, count, each, each - bytes];
  });
  const channels = CHANNELS.map((count): Cell[] => {
    const bytes = figureOf(results, `channels/${count}/bytes`);
    return ['a channel with one subscriber', count, bytes, bytes];
  });
  return table(['', 'how many', 'bytes each', 'besides the payload'], [...kept, ...channels]);
}

function clusterTable(results: Results): string {
  const of = (name: string): number => figureOf(results, name);
  return table(
    ['masters', 'payload', 'messages a store', 'bus bytes a store', 'by the payload', 'gossip, bytes/s'],
    BUS.map(([masters, bytes]) => {
      const name = `bus/${masters}/${bytes}`;
      const all = of(`${name}/bytes`);
      return [figure(masters), size(bytes), of(`${name}/messages`), all, all / bytes, of(`bus/${masters}/gossip`)];
    }),
  );
}

function capacityTable(results: Results): string {
  const constants = constantsOf(results);
  const { utilisation, payload, perStorer } = ASSUMED;
  const one = capacityOf(constants, { payload, perStorer, waiters: 4 }, utilisation);
  const of = (name: string): number => figureOf(results, name);
  const taken = [of('bulk/3/server'), of('bulk/6/server'), '-'];
  const rows = [3, 6, 12].map((masters, index) => {
    const all = capacityOf(constants, { payload, perStorer, waiters: 4, masters }, utilisation);
    return [`${masters} masters`, taken[index] ?? '-', all, all / one, percent(all / one / masters)];
  });
  return table(
    ['servers', 'µs of all a store', 'results/s', 'by those of one', 'of as many servers on their own'],
    [['one server', of('burst/300/storeServer'), one, 1, percent(1)], ...rows],
  );
}

function processTable(results: Results): string {
  const constants = constantsOf(results);
  return table(
    ['payload', 'waits/s at half of a core', 'at a full one'],
    [300, 1000, 10_000].map((payload) => [
      size(payload),
      waitsOfProcess(constants, payload, 0.5),
      waitsOfProcess(constants, payload, 1),
    ]),
  );
}

function constantsTable(results: Results): string {
  const c = constantsOf(results);
  const points = (curve: Curve): string =>
    curve.map(({ rate, cost }) => `${figure(cost)} at ${figure(rate)}/s`).join(', ');
  const process = ({ each, byte, turn }: Process): string =>
    `${figure(each)} µs; ${figure(byte * 1000)} ns; ${points(turn)} µs`;
  const { storeIn, storeOut, waitIn, waitOut } = c.net;
  return table(
    ['constant', 'of', 'value'],
    [
      [
        '`store`, `wait`, `expiry`',
        'commands; a result that expires',
        `${[c.store, c.wait, c.expiry].map(figure).join(', ')} µs`,
      ],
      ['`wake`', 'a read from a socket, by reads of the server', `${points(c.wake)} µs`],
      ['`window`', 'commands this close share a read', `${figure(c.window * 1000)} ms`],
      ['`storeByte`', 'a byte beyond 300, stored, by results', `${points(nanos(c.storeByte))} ns`],
      ['`waitByte`', 'the same, sent to who waits', `${figure(c.waitByte * 1000)} ns`],
      ['`bus`', 'a message to one further node, by wakes of a node', `${points(c.bus)} µs`],
      [
        '`busByte`, `busHeader`',
        'a byte of it; what is not payload or channel',
        `${figure(c.busByte * 1000)} ns; ${figure(c.busHeader)} B`,
      ],
      ['`each`, `byte`, `turn`', 'a storing process: never idle; an answer, by answers', process(c.storer)],
      ['the same', 'a waiting process', process(c.waiter)],
      [
        '`net`',
        'besides the payload: a store in, out; a wait in, out',
        `${[storeIn, storeOut, waitIn, waitOut].map(figure).join(', ')} B`,
      ],
      ['`channel`', 'a channel with one subscriber', `${figure(c.channel)} B`],
    ],
  );
}

const nanos = ([first, ...others]: Curve): Curve => {
  const one = ({ rate, cost }: Curve[0]): Curve[0] => ({ rate, cost: cost * 1000 });
  return [one(first), ...others.map(one)];
};

function checksTable(results: Results): string {
  const checks = checksOf(results).filter(({ unit }) => unit !== 'bytes on the bus' && unit !== 'bytes kept');
  const units = [...new Set(checks.map(({ unit }) => unit))];
  const loads = [...new Set(checks.map(({ what }) => what))];
  const cell = (what: string, unit: string): string => {
    const check = checks.find((each) => each.what === what && each.unit === unit);
    if (!check) return '-';
    const error = Math.round((check.predicted / check.measured - 1) * 100);
    return `${figure(check.predicted)} / ${figure(check.measured)}, ${error > 0 ? '+' : ''}${error} %`;
  };
  return table(
    ['load', ...units],
    loads.map((what) => [what, ...units.map((unit) => cell(what, unit))]),
  );
}

function errorsText(results: Results): string {
  const checks = checksOf(results);
  const units = [...new Set(checks.map(({ unit }) => unit))];
  const lines = units.map((unit) => {
    const errors = checks
      .filter((check) => check.unit === unit)
      .map(({ predicted, measured }) => Math.abs(predicted / measured - 1))
      .toSorted((a, b) => a - b);
    const [median, most] = [errors[Math.floor(errors.length / 2)], errors.at(-1)];
    return `${unit}: ${percent(median ?? NaN)}, at most ${percent(most ?? NaN)}, of ${errors.length}`;
  });
  return `Median error: ${lines.join('; ')}.`;
}

function planTable(results: Results): string {
  const constants = constantsOf(results);
  const plans = DAYS.map((day) => planOf(constants, { ...ASSUMED, results: day }));
  const row = (name: string, cell: (plan: (typeof plans)[number]) => Cell): Cell[] => [name, ...plans.map(cell)];
  return table(
    ['', ...DAYS.map((day) => `${day / 1e6} million a day`)],
    [
      row('results/s, at the peak', ({ peak }) => peak),
      row('cores of Redis at the peak', ({ hour }) => hour.cores),
      row('servers by CPU', ({ servers }) => servers),
      row('waiting processes', ({ waiters }) => waiters),
      row('cores of them', ({ hour }) => hour.waitCores),
      row('cores of storing processes', ({ hour }) => hour.storeCores),
      row('waits at once', ({ hour }) => hour.waits),
      row('memory, `expires` of 1 day', ({ dayMemory }) => size(dayMemory)),
      row('memory, `expires` of 1 hour', ({ hour }) => size(hour.memory)),
      row('bytes/s to Redis', ({ hour }) => size(hour.netIn)),
      row('bytes/s from Redis', ({ hour }) => size(hour.netOut)),
      row('masters, if it is a cluster', ({ masters }) => masters ?? '-'),
      row('cores of all of them', ({ cluster }) => cluster?.cores ?? '-'),
      row('bytes/s on its bus', ({ cluster }) => (cluster ? size(cluster.bus) : '-')),
    ],
  );
}
