import { describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { hrTimeToMilliseconds } from '@opentelemetry/core';
import { requestFromMessage, type TaskRequest } from '../../../src/index.ts';
import { instrument } from '../../../src/opentelemetry/index.ts';
import { outcome } from '../../support/contract/context.ts';
import { Results } from '../../support/results.ts';
import { Telemetry } from '../../support/telemetry.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

const WAIT = {
  'messaging.system': 'celery',
  'messaging.operation.name': 'wait',
  'messaging.operation.type': 'receive',
};
const STORE = { 'messaging.system': 'celery', 'messaging.operation.name': 'store', 'messaging.operation.type': 'send' };

/** Runs with an SDK and a backend, and everything reported. */
async function reporting(
  run: (telemetry: Telemetry, results: Results, clock: VirtualClock) => Promise<void>,
  options: ConstructorParameters<typeof Results>[0] = {},
): Promise<void> {
  await using telemetry = new Telemetry();
  const clock = new VirtualClock();
  await using results = new Results({ clock, ...options });
  const remove = instrument();
  try {
    await run(telemetry, results, clock);
  } finally {
    remove();
  }
}

describe('the span of a wait', () => {
  it('has the span that was active at the call as its parent, and began with the wait', async () => {
    await reporting(async (telemetry, results, clock) => {
      const before = Date.now();
      const caller = await telemetry.within(async () => {
        const value = results.backend.waitFor('t');
        await clock.advance(2500);
        await results.succeed('t');
        expect(await value).toBe('t');
      });
      const span = telemetry.spans.find(({ name }) => name === 'wait result');
      expect(span).toMatchObject({ kind: SpanKind.CLIENT, parentSpanContext: caller, status: { code: 0 }, events: [] });
      expect(span?.spanContext().traceId).toBe(caller.traceId);
      expect(hrTimeToMilliseconds(span?.duration ?? [0, 0])).toBeCloseTo(2500, 2);
      const end = hrTimeToMilliseconds(span?.endTime ?? [0, 0]);
      expect(end).toBeGreaterThanOrEqual(before);
      expect(end).toBeLessThanOrEqual(Date.now());
      expect(span?.attributes).toEqual({
        ...WAIT,
        'messaging.message.id': 't',
        'celery.state': 'SUCCESS',
        'celery.result.outcome': 'ready',
        'celery.result.by': 'message',
      });
    });
  });

  it('is one for each task of many, with the same parent', async () => {
    await reporting(async (telemetry, results) => {
      await results.succeed('a');
      await results.succeed('b');
      const seen: string[] = [];
      const { spanId } = await telemetry.within(async () => {
        for await (const { taskId } of results.backend.asCompleted(['a', 'b'])) seen.push(taskId);
      });
      const waits = telemetry.spans.filter(({ name }) => name === 'wait result');
      expect(waits.map(({ attributes }) => attributes['messaging.message.id'])).toEqual(seen);
      expect(waits.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([spanId, spanId]);
    });
  });

  it('is the root of a trace where no span is active', async () => {
    await reporting(async (telemetry, results) => {
      await results.succeed('t');
      await results.backend.waitFor('t');
      expect(telemetry.spans.map(({ parentSpanContext }) => parentSpanContext)).toEqual([undefined, undefined]);
    });
  });

  it('is an error when the task failed, time ran out or the backend was closed, and not when it was aborted', async () => {
    await reporting(async (telemetry, results, clock) => {
      const { backend } = results;
      const controller = new AbortController();
      const onMessage = (): void => {
        throw new RangeError('observer');
      };
      const waits = [
        backend.waitFor('failed'),
        backend.waitFor('late', { timeout: 3 }),
        backend.waitFor('aborted', { signal: controller.signal }),
        backend.waitFor('observed', { onMessage }),
        backend.waitFor('closed'),
      ].map(outcome);
      await settle();
      await results.fail('failed', 'secret');
      await results.succeed('observed');
      controller.abort(new Error('secret'));
      await clock.advance(3000);
      await backend.close();
      await Promise.all(waits);
      const found = telemetry.spans.filter(({ name }) => name === 'wait result');
      const ends = found.map(({ attributes, status }) => [
        attributes['messaging.message.id'],
        attributes['celery.result.outcome'],
        attributes['error.type'],
        status,
      ]);
      const error = { code: SpanStatusCode.ERROR };
      expect(ends.sort()).toEqual([
        ['aborted', 'aborted', undefined, { code: SpanStatusCode.UNSET }],
        ['closed', 'closed', 'CELERY_BACKEND_CLOSED', error],
        ['failed', 'ready', 'FAILURE', error],
        ['late', 'timeout', 'CELERY_TIMEOUT', error],
        ['observed', 'failed', 'RangeError', error],
      ]);
    });
  });
});

describe('the span of a store', () => {
  const message = {
    headers: { id: 't', task: 'app.add', traceparent: TRACEPARENT, tracestate: 'vendor=1' },
    body: [[], {}, {}],
  };

  it("continues the trace of the task's message", async () => {
    await reporting(async (telemetry, { backend }) => {
      await backend.storeResult('t', 'value', 'SUCCESS', { request: requestFromMessage(message) });
      const [span] = telemetry.spans;
      expect(span).toMatchObject({ name: 'store result', kind: SpanKind.CLIENT, status: { code: 0 }, links: [] });
      expect(span?.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
      expect(span?.spanContext().traceState?.serialize()).toBe('vendor=1');
      expect(span?.attributes).toEqual({
        ...STORE,
        'messaging.message.id': 't',
        'messaging.message.body.size': expect.any(Number),
        'celery.task_name': 'app.add',
        'celery.state': 'SUCCESS',
        'celery.result.outcome': 'stored',
        'celery.result.attempts': 1,
      });
    });
  });

  it('of a mark does so too', async () => {
    await reporting(async (telemetry, { backend }) => {
      await backend.markAsDone('t', 1, { request: requestFromMessage(message) });
      expect(telemetry.spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([SPAN]);
    });
  });

  it('has the active span as its parent when that is of the same trace, or the task has none', async () => {
    await reporting(async (telemetry, { backend }) => {
      const { spanId } = await telemetry.within(async () => {
        const traceId = trace.getActiveSpan()?.spanContext().traceId;
        const request: TaskRequest = { traceparent: `00-${traceId}-${SPAN}-01` };
        await backend.storeResult('a', 1, 'SUCCESS', { request });
        await backend.storeResult('b', 1, 'SUCCESS');
      });
      expect(telemetry.spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([spanId, spanId]);
    });
  });

  it('has a link to the active span when that is of another trace', async () => {
    await reporting(async (telemetry, { backend }) => {
      const caller = await telemetry.within(() =>
        backend.storeResult('t', 1, 'SUCCESS', { request: { traceparent: TRACEPARENT } }),
      );
      const [span] = telemetry.spans;
      expect(span?.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: SPAN });
      expect(span?.links.map((link) => link.context)).toEqual([caller]);
    });
  });

  it('takes the traceparent of a later version, and none that is malformed', async () => {
    await reporting(async (telemetry, { backend }) => {
      const texts = [
        `cc-${TRACE}-${SPAN}-01-more`,
        ...['', 'x', `00-${TRACE}-${SPAN}`, `00-${TRACE}-${SPAN}-01-more`, `ff-${TRACE}-${SPAN}-01`],
        ...[`00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`, TRACEPARENT.toUpperCase(), 5],
      ];
      for (const traceparent of texts) {
        await backend.storeResult('t', 1, 'STARTED', { request: { traceparent: traceparent as string } });
      }
      const parents = telemetry.spans.map(({ parentSpanContext }) => parentSpanContext?.traceId);
      expect(parents).toEqual([TRACE, ...texts.slice(1).map(() => undefined)]);
    });
  });

  it('is an error when the store failed, with its code', async () => {
    await reporting(
      async (telemetry, { backend }) => {
        await Promise.all(['a', 'b'].map((id) => outcome(backend.storeResult(id, 1, 'SUCCESS'))));
        const spans = telemetry.spans.map(({ attributes, status }) => [attributes['error.type'], status]);
        expect(spans).toEqual(
          expect.arrayContaining([
            [undefined, { code: SpanStatusCode.UNSET }],
            ['CELERY_STORE_OVERLOADED', { code: SpanStatusCode.ERROR }],
          ]),
        );
      },
      { maxPendingStores: 1 },
    );
  });

  it('of a task that failed is no error: it was stored', async () => {
    await reporting(async (telemetry, { backend }) => {
      await backend.storeResult('t', new Error('secret'), 'FAILURE');
      expect(telemetry.spans[0]).toMatchObject({
        status: { code: SpanStatusCode.UNSET },
        attributes: { 'celery.state': 'FAILURE', 'celery.result.outcome': 'stored' },
      });
    });
  });

  it('of a group has its id as such', async () => {
    await reporting(async (telemetry, { backend }) => {
      await backend.saveGroup('g', [['g', null], []]);
      expect(telemetry.spans[0]).toMatchObject({ name: 'store group', attributes: { 'celery.group_id': 'g' } });
      expect(telemetry.spans[0]?.attributes).not.toHaveProperty('messaging.message.id');
      expect(telemetry.spans[0]?.attributes).not.toHaveProperty('celery.state');
    });
  });
});

it('no span has a payload, an argument or the text of an error', async () => {
  await reporting(async (telemetry, results, clock) => {
    const secret = 'hunter2';
    const request: TaskRequest = { args: [secret], kwargs: { secret }, traceparent: TRACEPARENT };
    const { backend } = results;
    const wait = outcome(backend.waitFor('t', { timeout: 3 }));
    await settle();
    await backend.storeResult('t', { secret }, 'PROGRESS', { request });
    results.put('broken', secret, secret);
    await backend.storeResult('u', new Error(secret), 'FAILURE', { request, traceback: secret });
    await outcome(backend.waitFor('u'));
    results.space.set('celery-task-meta-v', Buffer.from(secret), null);
    expect(await outcome(backend.waitFor('v'))).toMatchObject({ message: expect.stringContaining(secret) });
    await clock.advance(3000);
    await wait;
    expect(telemetry.spans.length).toBe(5);
    const told = telemetry.spans.map(({ name, attributes, status, events, links }) => [
      ...[name, attributes, status, events, links],
    ]);
    expect(JSON.stringify(told)).not.toContain(secret);
  });
});
