/** The trace that a task's message carries. */
import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  type Link,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import type { StoreEvent } from './attributes.ts';

/** Version, trace, span and flags. Later versions may have more. @see https://www.w3.org/TR/trace-context/ */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** Where a span begins. */
export interface Origin {
  readonly parent: Context;
  readonly links: Link[];
}

/**
 * The parent of a store: the active span if it is of the task's trace, or the task has none; else what sent the task,
 * with a link to the active span.
 */
export function originOf({ traceparent, tracestate }: StoreEvent): Origin {
  const active = context.active();
  const remote = remoteContext(traceparent, tracestate);
  const current = trace.getSpanContext(active);
  if (!remote || current?.traceId === remote.traceId) return { parent: active, links: [] };
  const links = current && isSpanContextValid(current) ? [{ context: current }] : [];
  return { parent: trace.setSpanContext(active, remote), links };
}

function remoteContext(traceparent: unknown, tracestate: unknown): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === '00' && more !== undefined) return undefined;
  const remote: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(typeof tracestate === 'string' && { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(remote) ? remote : undefined;
}
