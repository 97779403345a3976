import { describe, expect, it } from '@jest/globals';
import { channel } from 'node:diagnostics_channel';
import { diag, type Meter, trace, type Tracer } from '@opentelemetry/api';
import { publish } from '../../../src/diagnostics.ts';
import { instrument } from '../../../src/opentelemetry/index.ts';
import { CHANNELS } from '../../support/events.ts';
import { Results } from '../../support/results.ts';
import { Telemetry } from '../../support/telemetry.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

const watched = (): string[] => CHANNELS.filter((name) => channel(name).hasSubscribers).map((name) => name.slice(21));

describe('instrument', () => {
  it('subscribes to what it is asked to report, and what it returns takes everything away', async () => {
    await using telemetry = new Telemetry();
    await using results = new Results({ clock: new VirtualClock() });
    expect(watched()).toEqual([]);
    const spansOnly = instrument({ meter: false, backends: [results.backend] });
    expect(watched()).toEqual(['wait', 'store']);
    spansOnly();
    const nothing = instrument({ tracer: false, meter: false });
    expect(watched()).toEqual([]);
    nothing();
    const metricsOnly = instrument({ tracer: false });
    let reads = 0;
    const counted = {
      stats: () => {
        reads += 1;
        return results.backend.stats();
      },
    };
    const all = instrument({ backends: [counted] });
    expect(watched().length).toBeGreaterThan(5);
    await results.succeed('a');
    expect(telemetry.spans).toHaveLength(1);
    await telemetry.metrics();
    expect(reads).toBe(1);
    metricsOnly();
    all();
    all();
    expect(watched()).toEqual([]);
    await results.succeed('b');
    expect(telemetry.spans).toHaveLength(1);
    await telemetry.metrics();
    expect(reads).toBe(1);
  });

  it('uses the tracer and the meter that it is given', async () => {
    await using results = new Results({ clock: new VirtualClock() });
    const made: string[] = [];
    const tracer = {
      startSpan: (name: string) => {
        made.push(name);
        return trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 });
      },
    } as unknown as Tracer;
    const record = (_: number, attributes: Readonly<Record<string, unknown>>): void => {
      made.push(String(attributes['messaging.operation.name']));
    };
    const meter = { createHistogram: () => ({ record }), createCounter: () => ({}) } as unknown as Meter;
    const remove = instrument({ tracer, meter });
    await results.succeed('a');
    remove();
    expect(made).toEqual(['store result', 'store']);
  });

  it('does nothing where no SDK is registered', async () => {
    await using results = new Results({ clock: new VirtualClock() });
    const remove = instrument({ backends: [results.backend] });
    await results.succeed('t');
    expect(await results.backend.waitFor('t')).toBe('t');
    remove();
  });

  it('keeps what fails in an SDK, a backend or an event from waits, stores and the process', async () => {
    const told: unknown[] = [];
    const nothing = (): void => undefined;
    const logger = { error: (...args: unknown[]) => told.push(args[1]), warn: nothing, info: nothing, debug: nothing };
    diag.setLogger({ ...logger, verbose: nothing });
    await using telemetry = new Telemetry();
    await using results = new Results({ clock: new VirtualClock() });
    const broken = new Error('broken');
    const fail = (): never => {
      throw broken;
    };
    const remove = instrument({ tracer: { startSpan: fail, startActiveSpan: fail }, backends: [{ stats: fail }] });
    const wait = results.backend.waitFor('t');
    await settle();
    await results.succeed('t');
    expect(await wait).toBe('t');
    await telemetry.metrics();
    publish('celery-redis-backend:wait', { taskId: 't', outcome: 'ready', by: 'message', duration: 1, dateDone: 'x' });
    await settle();
    remove();
    diag.disable();
    const malformed = expect.objectContaining({ message: expect.stringContaining('ISO 8601') });
    expect(told).toEqual([broken, broken, broken, broken, malformed]);
  });
});
