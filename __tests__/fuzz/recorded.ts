/** What real Celery wrote. */
import { readFileSync } from 'node:fs';
import type { Format } from './payloads.ts';

interface Recorded {
  readonly config?: { readonly result_serializer?: string };
  readonly payload?: string | null;
  readonly payload_b64?: string;
}

const recorded = ['5.2', '5.6'].flatMap((version) => {
  const file = new URL(`../fixtures/celery/celery-${version}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { vectors: readonly Recorded[] }).vectors;
});

/** The longest that is used: of those beyond it, what is changed is mostly padding. */
const LONGEST = 3000;

/** The payloads of a format; for superjson those of JSON. */
export function recordedPayloads(format: Format): readonly Buffer[] {
  const name = format === 'superjson' ? 'json' : format;
  return recorded
    .filter(
      ({ config, payload, payload_b64 }) => (config?.result_serializer ?? 'json') === name && (payload ?? payload_b64),
    )
    .map(({ payload, payload_b64 }) => (payload_b64 ? Buffer.from(payload_b64, 'base64') : Buffer.from(payload ?? '')))
    .filter(({ length }) => length < LONGEST);
}
