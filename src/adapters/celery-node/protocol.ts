/** Messages of protocol 1, as celery-node's clients may send them. */

type Bag = Readonly<Record<string, unknown>>;

/** A message of protocol 2. */
export interface Protocol2 {
  readonly headers: Bag;
  readonly body: unknown;
}

/** The same message in protocol 2; one of protocol 1 has everything in its body. @see celery.worker.strategy */
export function asProtocol2(headers: object, body: unknown): Protocol2 {
  if (Array.isArray(body)) {
    // Stock clients send null for what was left out.
    const [args, kwargs, embed] = body as readonly unknown[];
    return { headers: headers as Bag, body: [args ?? [], kwargs ?? {}, embed ?? {}] };
  }
  if (!isBag(body) || 'task' in headers) return { headers: headers as Bag, body };
  const { args, kwargs, callbacks = null, errbacks = null, chord = null, ...rest } = body;
  return {
    headers: { ...rest, group: rest['group'] ?? rest['taskset'] ?? null, retries: rest['retries'] ?? 0 },
    body: [args ?? [], kwargs ?? {}, { callbacks, errbacks, chord, chain: null }],
  };
}

function isBag(value: unknown): value is Bag {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
