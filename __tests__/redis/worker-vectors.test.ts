/** The keys, lives and messages that a worker of real Celery left, left by `markAs*` on a Redis. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisBackend, type Signature } from '../../src/index.ts';
import { RedisServer } from '../support/redis.ts';
import { recordings } from '../support/vectors.ts';
import { mark, type WorkerVector } from '../support/worker-vectors.ts';

const DATE = /"date_done": "[^"]*"/;

interface Recorded extends WorkerVector {
  readonly commands: readonly (readonly string[])[];
}

let server: RedisServer;
let listener: Redis;
let backends: { readonly plain: RedisBackend; readonly extended: RedisBackend };
let heard: [channel: string, text: string][] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  listener = new Redis(server.url);
  listener.on('pmessage', (_pattern: string, channel: string, text: string) => heard.push([channel, text]));
  await listener.psubscribe('*');
  const { url } = server;
  backends = { plain: new RedisBackend({}, { url }), extended: new RedisBackend({}, { url, extended: true }) };
});

afterAll(async () => {
  await Promise.all([backends.plain.close(), backends.extended.close()]);
  listener.disconnect();
  await server.stop();
});

beforeEach(async () => {
  await server.cli('FLUSHALL');
  heard = [];
});

const undated = (text: string): string => text.replace(DATE, '"date_done": ""');

describe.each(recordings)('a task that a worker of Celery $version ran', ({ vectors }) => {
  const ran = (vectors as unknown as readonly Recorded[]).filter(({ name }) => name.startsWith('worker'));

  it.each(ran)('$name leaves the same keys, lives and messages', async (vector) => {
    const { task_id: taskId, payload, all_published: all = [payload], commands } = vector;
    const own = `celery-task-meta-${taskId}`;
    const fails = payload.startsWith('{"status": "FAILURE"');
    // What else Celery stored with this failure: that of the tasks that follow in the chain.
    const rest = commands.filter(([name, key]) => fails && name === 'SETEX' && key !== own);
    const chain = rest.map(([, key = '']): Signature => {
      return { task: 'vec.add', options: { task_id: key.slice('celery-task-meta-'.length) } };
    });
    const backend = payload.includes('"queue": ') ? backends.extended : backends.plain;
    for (const text of all) await mark(backend, taskId, text, chain);
    const kept = Object.fromEntries([[own, payload], ...rest.map(([, key, , text]) => [key, text])] as [
      string,
      string,
    ][]);
    expect(((await server.cli('KEYS', '*')) as string[]).sort()).toEqual(Object.keys(kept).sort());
    for (const [key, text] of Object.entries(kept)) {
      expect(undated(String(await server.cli('GET', key)))).toBe(undated(text));
      const seconds = Number(commands.find(([name, of]) => name === 'SETEX' && of === key)?.[2]);
      const left = Number(await server.cli('TTL', key));
      expect(left).toBeLessThanOrEqual(seconds);
      expect(left).toBeGreaterThan(seconds - 30);
    }
    const messages = [...all.map((text) => [own, text]), ...rest.map(([, key = '', , text = '']) => [key, text])];
    while (heard.length < messages.length) await listener.ping();
    expect(heard.map(([channel, text]) => [channel, undated(text)])).toEqual(
      messages.map(([channel, text = '']) => [channel, undated(text)]),
    );
  });
});
