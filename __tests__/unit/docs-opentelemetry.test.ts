/** The recipes of docs/opentelemetry.md for Prometheus, run and scraped. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { ExampleFolder, examplesOf } from '../support/docs.ts';

const [, exporter = '', page = ''] = examplesOf('docs/opentelemetry.md');
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
