/** Real Celery and celery-node with this backend serve one queue: chains, groups and chords over both. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Canvas, chain, chord, group, redisEnvelope, signature } from '../../src/canvas/index.ts';
import { type RedisBackend, resultFromTuple, type Signature } from '../../src/index.ts';
import { Border, taskId } from '../support/border.ts';
import { CeleryWorker } from '../support/celery.ts';
import { NodeWorker } from '../support/celery-node.ts';
import { failure } from '../support/failure.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const version = `Celery ${findCeleryPython().celery}`;

/** How often each canvas is run, so that both workers get parts of it. */
const TIMES = 12;

let border: Border;
let celery: CeleryWorker;
let node: NodeWorker;
let backend: RedisBackend;
let canvas: Canvas;

const TASKS = {
  'celery_tasks.add': (x: number, y: number) => x + y,
  'celery_tasks.echo': (value: unknown) => value,
  'celery_tasks.total': (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0),
  'celery_tasks.fail': () => {
    throw new TypeError('boom', {});
  },
  'celery_tasks.note': (id: string) => border.server.cli('RPUSH', `note-${id}`, 'called'),
};

beforeAll(async () => {
  border = await Border.open();
  backend = border.backend({ extended: true });
  celery = await CeleryWorker.start(border.server.url, { extended: true });
  node = new NodeWorker(border.server.url, backend, TASKS, { hostname: 'node@here' });
  canvas = new Canvas({
    send: (message) => border.server.cli('LPUSH', message.queue, redisEnvelope(message)),
    backend,
  });
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
  await celery[Symbol.asyncDispose]();
  await border[Symbol.asyncDispose]();
});

const add = (...args: number[]): Signature => signature('celery_tasks.add', args);
const total = signature('celery_tasks.total');

const PRELUDE = `
from celery import chain, chord, group, signature
# Nested chords hold several producers at once: with the ten of the default, threads of one process wait for one another.
app = make_app(broker_pool_limit=200)
add = lambda *args: signature('celery_tasks.add', args=args, app=app)
total = signature('celery_tasks.total', app=app)
fail = signature('celery_tasks.fail', args=['value'], app=app)
`;

/** What Python raises for the failed `result` of a chord, and its tuple. */
const CHORD_ERROR = `
try:
  result.get(timeout=50, follow_parents=False)
except Exception as error:
  return [type(error).__name__ + ': ' + str(error), result.as_tuple()]`;

/** A canvas in both languages, and what comes of it. */
const CANVASES: Readonly<
  Record<string, { readonly python: string; readonly typescript: Signature; readonly value: unknown }>
> = {
  'a chain': {
    python: 'chain(add(1, 2), add(3), add(4), add(5))',
    typescript: chain([add(1, 2), add(3), add(4), add(5)]),
    value: 15,
  },
  'a group': {
    python: 'group(add(n, n) for n in range(6))',
    typescript: group([0, 1, 2, 3, 4, 5].map((n) => add(n, n))),
    value: [0, 2, 4, 6, 8, 10],
  },
  'a group of chains': {
    python: 'group(chain(add(n, 1), add(10)) for n in range(4))',
    typescript: group([0, 1, 2, 3].map((n) => chain([add(n, 1), add(10)]))),
    value: [11, 12, 13, 14],
  },
  'a chord': {
    python: 'chord([add(n, n) for n in range(8)], total)',
    typescript: chord(
      [0, 1, 2, 3, 4, 5, 6, 7].map((n) => add(n, n)),
      total,
    ),
    value: 56,
  },
  'a chord whose body is a chain': {
    python: 'chord([add(1, 1), add(2, 2)], chain(total, add(1), add(1)))',
    typescript: chord([add(1, 1), add(2, 2)], chain([total, add(1), add(1)])),
    value: 8,
  },
  'a chord of chords': {
    python: 'chord([chord([add(1, 1), add(2, 2)], total), add(3, 3), chain(add(4, 4), add(1))], total)',
    typescript: chord([chord([add(1, 1), add(2, 2)], total), add(3, 3), chain([add(4, 4), add(1)])], total),
    value: 21,
  },
  'a chord of groups': {
    python: 'chord([group(add(1, 1), add(2, 2)), group(add(3, 3), add(4, 4))], total)',
    typescript: chord([group([add(1, 1), add(2, 2)]), group([add(3, 3), add(4, 4)])], total),
    value: 20,
  },
  'a chain through a group': {
    python: 'chain(add(1, 1), group(add(1), add(2), add(3)), total, add(100))',
    typescript: chain([add(1, 1), group([add(1), add(2), add(3)]), total, add(100)]),
    value: 112,
  },
  'a chain that ends in a group': {
    python: 'chain(add(1, 1), group(add(1), add(2), add(3)))',
    typescript: chain([add(1, 1), group([add(1), add(2), add(3)])]),
    value: [3, 4, 5],
  },
  'a chain of two groups': {
    python: 'chain(group(add(1, 1), add(2, 2)), total, group(add(1), add(2)), total)',
    typescript: chain([group([add(1, 1), add(2, 2)]), total, group([add(1), add(2)]), total]),
    value: 15,
  },
  'a task with a callback that is a chain': {
    python: 'chain(add(1, 1).set(link=[chain(add(1), add(1))]), add(5))',
    typescript: chain([
      signature('celery_tasks.add', [1, 1], { options: { link: [chain([add(1), add(1)])] } }),
      add(5),
    ]),
    value: 7,
  },
};

const times = Array.from({ length: TIMES }, (_, index) => index);

describe(`over a worker of ${version} and one of celery-node`, () => {
  it.each(Object.entries(CANVASES))(
    '%s that Python sends has one answer, in Python and here',
    async (_, { python, value }) => {
      const runs = times.map(async () => {
        const [theirs, tuple] = await border.python.runAside<[unknown, unknown]>(
          `${PRELUDE}
result = (${python}).apply_async()
return [result.get(timeout=50), result.as_tuple()]`,
        );
        const ours = await resultFromTuple(tuple, backend).get({ timeout: 50 });
        expect([theirs, ours]).toEqual([value, value]);
      });
      await Promise.all(runs);
    },
  );

  it.each(Object.entries(CANVASES))(
    '%s that TypeScript sends has one answer, in Python and here',
    async (_, { typescript, value }) => {
      const runs = times.map(async () => {
        const tuple = await canvas.apply(typescript);
        const ours = resultFromTuple(tuple, backend).get({ timeout: 50 });
        const theirs = border.python.runAside('return result_from_tuple(t, app=app).get(timeout=50)', { t: tuple });
        expect([await theirs, await ours]).toEqual([value, value]);
      });
      await Promise.all(runs);
    },
  );

  it('a chord with a failing part that Python sends fails with the same ChordError for both, which says which part', async () => {
    const runs = times.map(async () => {
      const [text, tuple] = await border.python.runAside<[string, unknown]>(
        `${PRELUDE}
result = chord([add(1, 1), fail, add(2, 2)], total).apply_async()${CHORD_ERROR}`,
      );
      expect(text).toMatch(/^ChordError: Dependency [\da-f-]+ raised (ValueError|TypeError)\('boom'/);
      const error = await failure(resultFromTuple(tuple, backend).get({ timeout: 50, followParents: false }));
      expect(error).toMatchObject({ code: 'CELERY_CHORD', message: text.slice('ChordError: '.length) });
    });
    await Promise.all(runs);
  });

  it('a chord with a failing part that TypeScript sends fails with the same ChordError for both, which says which part', async () => {
    const runs = times.map(async () => {
      const part = taskId();
      const fail = signature('celery_tasks.fail', ['value'], { options: { task_id: part } });
      const sent = await canvas.apply(chord([add(1, 1), fail, add(2, 2)], total));
      const error = await failure(resultFromTuple(sent, backend).get({ timeout: 50, followParents: false }));
      const [text] = await border.python.runAside<[string, unknown]>(
        `result = result_from_tuple(t, app=app)${CHORD_ERROR}`,
        { t: sent },
      );
      expect(text).toMatch(new RegExp(`^ChordError: Dependency ${part} raised (ValueError|TypeError)\\('boom'`));
      expect(error).toMatchObject({ code: 'CELERY_CHORD', message: text.slice('ChordError: '.length) });
    });
    await Promise.all(runs);
  });

  it('a chain stops at a failure, which is that of every task after it', async () => {
    const runs = times.map(async () => {
      const fail = signature('celery_tasks.fail', ['value'], { immutable: true });
      const tuple = await canvas.apply(chain([add(1, 1), fail, add(2), add(3)]));
      const error = await failure(resultFromTuple(tuple, backend).get({ timeout: 50, followParents: false }));
      expect(error).toMatchObject({ code: 'CELERY_TASK_FAILED', excArgs: expect.arrayContaining(['boom']) });
    });
    await Promise.all(runs);
  });

  it('error callbacks are called once each, with the id of the task that failed', async () => {
    const notes: string[] = [];
    const runs = times.map(async () => {
      const id = taskId();
      const errback = signature('celery_tasks.note');
      const options = { task_id: id, link_error: [errback, errback] };
      await canvas.apply(signature('celery_tasks.fail', ['value'], { options }));
      const error = await failure(backend.waitFor(id, { timeout: 50 }));
      expect(error).toMatchObject({ code: 'CELERY_TASK_FAILED' });
      await border.until(async () => Number(await border.server.cli('LLEN', `note-${id}`)) >= 2);
      notes.push(`note-${id}`);
    });
    await Promise.all(runs);
    for (const note of notes) expect(await border.server.cli('LLEN', note)).toBe(2);
  });

  it('children are known, whichever worker ran the task', async () => {
    const runs = times.map(async () => {
      const first = taskId();
      const options = { task_id: first, link: [add(7), add(8)] };
      const tuple = await canvas.apply(chain([signature('celery_tasks.add', [1, 1], { options }), add(5)]));
      await resultFromTuple(tuple, backend).get({ timeout: 50 });
      const children = await backend.getChildren(first);
      const values = [];
      for (const child of children ?? []) values.push(await resultFromTuple(child, backend).get({ timeout: 50 }));
      expect(values).toEqual([[9, 10], 7]);
    });
    await Promise.all(runs);
  });

  it('both workers had their parts, nothing was rescued, nothing left in Redis but results', async () => {
    const keys = (await border.server.cli('KEYS', 'celery-task-meta-*')) as string[];
    const metas = await backend.getMany(keys.map((key) => key.slice('celery-task-meta-'.length)));
    const workers = [...metas.values()].map(({ worker }) => worker);
    const byNode = workers.filter((worker) => worker === 'node@here').length;
    expect(byNode).toBeGreaterThan(TIMES);
    expect(workers.length - byNode).toBeGreaterThan(TIMES);
    expect(node.told).toEqual([]);
    expect(backend.stats()).toMatchObject({ waits: 0, rescued: 0 });
    expect(await border.server.cli('LLEN', 'celery')).toBe(0);
  });
});
