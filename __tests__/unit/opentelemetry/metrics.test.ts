import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { publish, type DiagnosticEvents } from '../../../src/diagnostics.ts';
import { instrument } from '../../../src/opentelemetry/index.ts';
import { outcome } from '../../support/contract/context.ts';
import { Results } from '../../support/results.ts';
import { Telemetry } from '../../support/telemetry.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

type Wait = DiagnosticEvents['celery-redis-backend:wait'];

const COUNTS: readonly (readonly [metric: string, field: string])[] = [
  ['celery.backend.wait.active', 'waits'],
  ['celery.backend.channels', 'channels'],
  ['celery.backend.held', 'held'],
  ['celery.backend.store.active', 'stores'],
  ['celery.backend.store.active.size', 'storeBytes'],
  ['celery.backend.cache.entries', 'cached'],
  ['celery.backend.cache.size', 'cachedBytes'],
  ['celery.backend.cache.hits', 'cacheHits'],
  ['celery.backend.results.found_at_deadline', 'foundAtDeadline'],
];

/** A sum, or the count of a histogram. */
function values(metrics: Awaited<ReturnType<Telemetry['metrics']>>, name: string): unknown[] {
  return (metrics.get(name) ?? []).map(({ value }) =>
    typeof value === 'object' ? (value as { count: number }).count : value,
  );
}

describe('the metrics', () => {
  it('have the duration of stores and waits, by what they came to', async () => {
    await using telemetry = new Telemetry();
    await using results = new Results({ clock: new VirtualClock() });
    const remove = instrument();
    const wait = results.backend.waitFor('t');
    await settle();
    await results.succeed('t');
    await wait;
    await results.backend.storeResult('t', 1, 'half done', {});
    const data = (await telemetry.metrics()).get('messaging.client.operation.duration') ?? [];
    remove();
    const store = {
      'messaging.system': 'celery',
      'messaging.operation.name': 'store',
      'messaging.operation.type': 'send',
    };
    expect(data.map(({ attributes, value }) => [attributes, (value as { count: number }).count])).toEqual(
      expect.arrayContaining([
        [{ ...store, 'celery.state': 'SUCCESS', 'celery.result.outcome': 'stored' }, 1],
        [{ ...store, 'celery.state': '_OTHER', 'celery.result.outcome': 'kept' }, 1],
        [
          {
            'messaging.system': 'celery',
            'messaging.operation.name': 'wait',
            'messaging.operation.type': 'receive',
            'celery.state': 'SUCCESS',
            'celery.result.outcome': 'ready',
            'celery.result.by': 'message',
          },
          1,
        ],
      ]),
    );
  });

  it('have the latency of a wake, from when the task was done, of results that came while they were waited for', async () => {
    await using telemetry = new Telemetry();
    const remove = instrument();
    const done = (secondsAgo: number): string => new Date(Date.now() - secondsAgo * 1000).toISOString().slice(0, -1);
    const told = (event: Partial<Wait>): void => {
      publish('celery-redis-backend:wait', { taskId: 't', outcome: 'ready', status: 'SUCCESS', duration: 1, ...event });
    };
    told({ by: 'message', dateDone: done(100) });
    told({ by: 'backstop', dateDone: `${done(200)}+00:00` });
    told({ by: 'message', dateDone: done(-100) });
    told({ by: 'message' });
    for (const by of ['read', 'cache', 'held'] as const) told({ by, dateDone: done(1) });
    const data = (await telemetry.metrics()).get('celery.backend.wake.latency') ?? [];
    remove();
    const figures = data.map(({ attributes, value }) => {
      const { count, sum } = value as { count: number; sum: number };
      return [attributes['celery.result.by'], count, Math.floor(sum / 100)];
    });
    expect(figures).toEqual([
      ['message', 2, 1],
      ['backstop', 1, 2],
    ]);
  });

  it('count what the events tell', async () => {
    await using telemetry = new Telemetry();
    const remove = instrument();
    const error = new Error('x');
    publish('celery-redis-backend:store-retry', { taskId: 't', attempt: 1, error });
    for (const first of [true, false]) {
      publish('celery-redis-backend:connection', { connection: 'commands', state: 'ready', attempt: 1, first });
      publish('celery-redis-backend:connection', { connection: 'commands', state: 'lost', attempt: 0, first });
    }
    publish('celery-redis-backend:healed', { taskId: 't', duration: 1 });
    publish('celery-redis-backend:rescued', { taskId: 't', duration: 1 });
    publish('celery-redis-backend:rejected', { taskId: 't', error });
    publish('celery-redis-backend:timeout', { taskId: 't', timeout: 1, duration: 1, lastLook: 'unready' });
    const metrics = await telemetry.metrics();
    remove();
    const names = [
      'store.retries',
      'reconnects',
      'results.healed',
      'results.rescued',
      'results.rejected',
      'wait.timeouts',
    ];
    expect(names.map((name) => values(metrics, `celery.backend.${name}`))).toEqual(names.map(() => [1]));
  });

  it('have the figures of backends, summed up, at each collection', async () => {
    await using telemetry = new Telemetry();
    await using one = new Results({ clock: new VirtualClock() });
    await using two = new Results({ clock: new VirtualClock() });
    const remove = instrument({ backends: [one.backend, two.backend] });
    expect(values(await telemetry.metrics(), 'celery.backend.wait.active')).toEqual([0]);
    const waits = [one.backend.waitFor('a'), one.backend.waitFor('b'), two.backend.waitFor('c')].map(outcome);
    await settle();
    const metrics = await telemetry.metrics();
    remove();
    const all = [one.backend.stats(), two.backend.stats()] as unknown as Record<string, number>[];
    for (const [metric, field] of COUNTS) {
      expect([metric, values(metrics, metric)]).toEqual([metric, [(all[0]?.[field] ?? 0) + (all[1]?.[field] ?? 0)]]);
    }
    expect(values(metrics, 'celery.backend.wait.active')).toEqual([3]);
    await Promise.all([one.backend.close(), two.backend.close()]);
    await Promise.all(waits);
  });

  it('tell of each figure of stats(), be it by an event', async () => {
    await using results = new Results({ clock: new VirtualClock() });
    const byEvents = ['storeRetries', 'reconnects', 'healed', 'rescued', 'timeouts'];
    const told = [...COUNTS.map(([, field]) => field), ...byEvents];
    expect(told.sort()).toEqual(Object.keys(results.backend.stats()).sort());
  });
});

it('docs/opentelemetry.md has each metric and each attribute, and no other', () => {
  const text = readFileSync('docs/opentelemetry.md', 'utf8').split('\n## OpenTelemetry\n')[1]?.split('\n## ')[0] ?? '';
  const rows = [...text.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]);
  const metrics = [
    'messaging.client.operation.duration',
    'celery.backend.wake.latency',
    ...['store.retries', 'reconnects', 'results.healed', 'results.rescued', 'results.rejected', 'wait.timeouts'].map(
      (name) => `celery.backend.${name}`,
    ),
    ...COUNTS.map(([metric]) => metric),
  ];
  const sources = ['attributes', 'spans', 'measures'].map((name) =>
    readFileSync(`src/opentelemetry/${name}.ts`, 'utf8'),
  );
  const quoted = [...sources.join('\n').matchAll(/'((?:messaging|celery|error)\.[\w.]+)'/g)].map(
    (match) => match[1] ?? '',
  );
  const attributes = [...new Set(quoted)].filter((name) => !metrics.includes(name));
  expect(attributes).toContain('error.type');
  expect(rows.sort()).toEqual([...metrics, ...attributes].sort());
});
