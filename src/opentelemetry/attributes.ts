/**
 * Names and values, by OpenTelemetry's conventions for messaging where they have one, and else as its instrumentation of
 * Celery for Python names them. None has a payload or the text of an error.
 */
import type { Attributes } from '@opentelemetry/api';
import type { DiagnosticEvents } from '../diagnostics.ts';
import { PROPAGATE_STATES, READY_STATES, UNREADY_STATES } from '../states.ts';

/** The event of a store. */
export type StoreEvent = DiagnosticEvents['celery-redis-backend:store'];
/** The event of a wait. */
export type WaitEvent = DiagnosticEvents['celery-redis-backend:wait'];

const KNOWN_STATES: ReadonlySet<string> = new Set([...READY_STATES, ...UNREADY_STATES, 'PROGRESS']);
/** Codes and names of classes; a text is neither. */
const TYPE = /^\w{1,64}$/;

/** What spans and measurements of a store share. */
export function storeAttributes({ state, outcome, error }: StoreEvent): Attributes {
  return {
    ...operation('store', 'send'),
    ...(state !== '' && { 'celery.state': KNOWN_STATES.has(state) ? state : '_OTHER' }),
    'celery.result.outcome': outcome,
    ...(outcome === 'failed' && { 'error.type': errorType(error) }),
  };
}

/** What spans and measurements of a wait share. */
export function waitAttributes({ status, outcome, by, error }: WaitEvent): Attributes {
  const type = waitError(outcome, status, error);
  return {
    ...operation('wait', 'receive'),
    ...(status !== undefined && { 'celery.state': status }),
    'celery.result.outcome': outcome,
    ...(by !== undefined && { 'celery.result.by': by }),
    ...(type !== undefined && { 'error.type': type }),
  };
}

function operation(name: string, type: string): Attributes {
  return { 'messaging.system': 'celery', 'messaging.operation.name': name, 'messaging.operation.type': type };
}

/** A task that failed fails its wait, as a status of 500 does a call; whoever aborts a wait wants no result. */
function waitError(outcome: WaitEvent['outcome'], status: string | undefined, error: unknown): string | undefined {
  if (outcome === 'aborted') return undefined;
  if (outcome !== 'ready') return errorType(error);
  return status !== undefined && PROPAGATE_STATES.has(status) ? status : undefined;
}

/** The code of an error, or the name of its class. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER';
  const { code } = error as { readonly code?: unknown };
  return (
    ([code, error.name].find((type) => typeof type === 'string' && TYPE.test(type)) as string | undefined) ?? '_OTHER'
  );
}
