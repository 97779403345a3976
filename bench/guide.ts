/** The tables of docs/performance.md. */
import { goalRows } from './goals.ts';
import { growthRows } from './growth.ts';
import { type Answer, digits, markdown, type Run, spread, times, valuesOf } from './report.ts';
import { turnRows, type TurnsRun } from './turns/table.ts';

const OURS = 'celery-redis-backend';
const GUARDED = 'ioredis guarded';
const PICTURE = '![The figures of this package and of others as ratios to the floor, a panel a figure](bench.svg)';

/** The parts of `hops`, as the guide names them. */
const PARTS = [
  'the storing process, until it writes to its socket',
  'that write',
  'Redis, and waking the other process',
  'the waiting process, from its socket until the waiter goes on',
];

const ofHops = ({ figures }: Run): Answer[] => figures.filter(({ question }) => question === 'hops');

/** The whole of each round. */
function wholes(parts: readonly Answer[], competitor: string): number[] {
  const [first] = parts;
  return (first?.rounds[competitor] ?? []).map((_, round) =>
    parts.reduce((sum, { rounds }) => sum + (rounds[competitor]?.[round] ?? NaN), 0),
  );
}

function hopRows(run: Run): string[][] {
  const parts = ofHops(run);
  const competitors = [OURS, run.floor, GUARDED];
  const floor = wholes(parts, run.floor);
  const ratios = competitors.map((name) => spread(wholes(parts, name).map((whole, i) => whole / (floor[i] ?? NaN))));
  return [
    ['part', 'this package', 'the floor', 'floor, guarded'],
    ...parts.map((part, i) => [
      PARTS[i] ?? part.name,
      ...competitors.map((name) => digits(valuesOf(part, name).median)),
    ]),
    ['together', ...competitors.map((name) => digits(spread(wholes(parts, name)).median))],
    [
      'to the floor (least to greatest)',
      ...ratios.map(({ min, median, max }, i) =>
        competitors[i] === run.floor ? '' : `${times(median)} (${times(min)} to ${times(max)})`,
      ),
    ],
  ];
}

/** The median of each figure, by competitor. */
function figureRows({ figures, floor }: Run): string[][] {
  const asked = figures.filter(({ question }) => question !== 'hops');
  const names = Object.keys(asked[0]?.rounds ?? {});
  return [
    ['figure', ...names.map((name) => (name === OURS ? 'this package' : name.replace(OURS, '').trim()))],
    ...asked.map((answer) => [
      `${answer.name}${answer.unit === '' ? '' : `, ${answer.unit}`}${answer.floor === undefined ? '' : ` (${floor}: ${answer.floor})`}`,
      ...names.map((name) => digits(valuesOf(answer, name).median)),
    ]),
  ];
}

/** What stands between the marks of each name. */
const blocks = (run: Run, turns: TurnsRun): Readonly<Record<string, string>> => ({
  goals: `${markdown(goalRows(run.figures))}\n\n${PICTURE}`,
  hops: markdown(hopRows(run)),
  turns: markdown(turnRows(turns)),
  growth: markdown(growthRows(run.figures, [OURS, run.floor, 'bullmq', 'python celery'])),
  figures: markdown(figureRows(run)),
});

/**
 * The guide with the figures of a run, and of the turns of a loop.
 *
 * @throws Error where it has lost the marks of a table
 */
export function fill(guide: string, run: Run, turns: TurnsRun): string {
  return Object.entries(blocks(run, turns)).reduce((text, [name, block]) => {
    const [before = '', , after] = text.split(new RegExp(`(?<=<!-- ${name} -->\n)(.*?)(?=<!-- /${name} -->)`, 's'));
    if (after === undefined) throw new Error(`docs/performance.md has lost the marks of ${name}.`);
    return `${before}\n${block}\n\n${after}`;
  }, guide);
}
