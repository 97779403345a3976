/** A span for each store and each wait, made when it has settled. */
import { type Attributes, context, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { type StoreEvent, storeAttributes, waitAttributes, type WaitEvent } from './attributes.ts';
import { listen, type Remover } from './listen.ts';
import { type Origin, originOf } from './trace-context.ts';

/** Makes spans of events from now on. */
export function traceEvents(tracer: Tracer): Remover[] {
  return [
    listen('celery-redis-backend:store', (event) => {
      const name = event.state === '' ? 'store group' : 'store result';
      make(tracer, name, event.duration, ofStore(event), originOf(event));
    }),
    listen('celery-redis-backend:wait', (event) => {
      // Published in the context of whoever waits: the span that is active there is the parent.
      make(tracer, 'wait result', event.duration, ofWait(event), { parent: context.active(), links: [] });
    }),
  ];
}

function ofStore(event: StoreEvent): Attributes {
  const { taskId, task, state, bytes, attempts } = event;
  return {
    ...storeAttributes(event),
    [state === '' ? 'celery.group_id' : 'messaging.message.id']: taskId,
    ...(state !== '' && { 'celery.state': state }),
    ...(typeof task === 'string' && { 'celery.task_name': task }),
    'messaging.message.body.size': bytes,
    'celery.result.attempts': attempts,
  };
}

function ofWait(event: WaitEvent): Attributes {
  return { ...waitAttributes(event), 'messaging.message.id': event.taskId };
}

/** @param duration - seconds until now */
function make(tracer: Tracer, name: string, duration: number, attributes: Attributes, { parent, links }: Origin): void {
  const end = Date.now();
  const startTime = end - duration * 1000;
  const span: Span = tracer.startSpan(name, { kind: SpanKind.CLIENT, startTime, attributes, links }, parent);
  if (attributes['error.type'] !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(end);
}
