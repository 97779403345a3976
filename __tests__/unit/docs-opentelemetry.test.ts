/** The recipes of docs/opentelemetry.md: for traces, with messages that are looked at; for Prometheus, scraped. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

const [, traces = '', exporter = '', page = ''] = examplesOf('docs/opentelemetry.md');
let folder: ExampleFolder;

beforeEach(() => {
  folder = new ExampleFolder();
});

afterEach(() => {
  folder[Symbol.dispose]();
});

/** Runs a recipe on a memory, with a store and a wait, and returns what `scrape` prints. */
function run(recipe: string, scrape: string): string {
  const text = `${recipe}
    await backend.storeResult('t', 1, 'SUCCESS');
    await backend.waitFor('t');
    await backend.waitFor('t');
    ${scrape}
    await backend.close();
    process.exit();`;
  return folder.run('recipe.mts', text.replaceAll('redis://localhost:6379/0', 'memory://')).join('\n');
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** In the place of a broker: keeps the headers of what it is sent. */
const BROKER = `
export const sent = [];
export class Redis {
  async lpush(queue, text) {
    sent.push(JSON.parse(text).headers);
    return 1;
  }
}`;

/** What an SDK does at its start. */
const SDK = `
import { trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { requestFromMessage } from 'celery-redis-backend';
import { chain, signature } from 'celery-redis-backend/canvas';
import { sent } from './broker.mts';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
const tracer = new BasicTracerProvider().getTracer('test');
`;

it('the recipe for messages puts the trace into what is sent, and into what a worker sends after it', () => {
  folder.write('broker.mts', BROKER);
  const use = `
const caller = await tracer.startActiveSpan('caller', async (span) => {
  await canvas.apply(chain([signature('tasks.one'), signature('tasks.two')]));
  return span.spanContext();
});
const [first] = sent;
const next = { ...signature('tasks.two'), options: { task_id: 'two' } };
const request = requestFromMessage({ headers: first, properties: {}, body: [[], {}, { chain: [next] }] });
await inTrace(request, () => canvas.sendNext(request, 1));
const expected = '00-' + caller.traceId + '-' + caller.spanId + '-01';
console.log(sent.map(({ task, traceparent }) => [task, traceparent === expected].join(' ')).join());
`;
  const program = [traces.replace("'ioredis'", "'./broker.mts'"), SDK, use].join('\n');
  expect(folder.run('traces.mts', program)).toEqual(['tasks.one true,tasks.two true']);
});

describe('the recipes for Prometheus', () => {
  it('serve the metrics of OpenTelemetry', async () => {
    const port = await freePort();
    const scrape = `console.log(await (await fetch('http://localhost:${port}/metrics')).text());`;
    const text = run(exporter.replace('9464', `${port}`), scrape);
    expect(text).toMatch(/^celery_backend_wait_active\S* 0/m);
    expect(text).toMatch(/^celery_backend_cache_hits_total\S* 1/m);
    expect(text).toMatch(/^messaging_client_operation_duration_count\{.*operation_name="store".*\} 1/m);
    expect(text).toMatch(/^messaging_client_operation_duration_count\{.*result_by="cache".*\} 1/m);
  });

  it('serve the figures of stats(), those that only grow as counters', () => {
    const scrape = `
      await new Promise((listening) => server.listen(0, listening));
      const answer = await fetch('http://localhost:' + server.address().port);
      console.log(answer.headers.get('content-type'), await answer.text());`;
    const text = run(page, scrape);
    expect(text).toContain('text/plain');
    expect(text).toContain('# TYPE celery_redis_backend_waits gauge\ncelery_redis_backend_waits 0\n');
    expect(text).toContain(
      '# TYPE celery_redis_backend_cache_hits_total counter\ncelery_redis_backend_cache_hits_total 1\n',
    );
    expect(text.match(/^# TYPE .* counter$/gm)).toHaveLength(7);
  });
});
