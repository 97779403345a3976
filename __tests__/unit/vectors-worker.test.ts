/** What `markAs*` write of the tasks that a worker of real Celery ran: the same bytes, state by state. */
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { RedisBackend } from '../../src/index.ts';
import { openSpace } from '../../src/memory/space.ts';
import { recordings } from '../support/vectors.ts';
import { mark, type WorkerVector } from '../support/worker-vectors.ts';

const DATE = /"date_done": "[^"]*"/;

describe.each(recordings)('what a worker of Celery $version wrote', ({ vectors }) => {
  const url = `memory://${randomUUID()}`;
  const space = openSpace(url, systemClock);
  const backends = { plain: new RedisBackend({}, { url }), extended: new RedisBackend({}, { url, extended: true }) };
  afterAll(() => Promise.all(Object.values(backends).map((backend) => backend.close())));

  const ran = (vectors as readonly WorkerVector[]).filter(({ name }) => name.startsWith('worker'));

  it('is compared in all states', () => {
    expect(ran.length).toBeGreaterThan(40);
    const states = new Set(
      ran
        .flatMap(({ payload, all_published: all = [] }) => [payload, ...all])
        .map((text) => /"status": "(\w+)"/.exec(text)?.[1]),
    );
    expect([...states].sort()).toEqual(['FAILURE', 'PROGRESS', 'RETRY', 'REVOKED', 'STARTED', 'SUCCESS']);
  });

  it.each(ran)('$name is what we write', async ({ task_id: taskId, payload, all_published: all = [payload] }) => {
    expect(all.at(-1)).toBe(payload);
    for (const text of all) {
      await mark(text.includes('"queue": ') ? backends.extended : backends.plain, taskId, text);
      const written = space.get(`celery-task-meta-${taskId}`)?.toString() ?? '';
      expect(written).toBe(text.replace(DATE, DATE.exec(written)?.[0] ?? '"date_done": null'));
    }
  });
});
