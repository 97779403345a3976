/** Who comes to examples/producer-service: clients that leave, monitors, browsers. */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { succeed } from 'celery-redis-backend/testing';
import { ServiceUnderTest } from '../../support/service.ts';

let service: ServiceUnderTest;

beforeEach(async () => {
  service = await ServiceUnderTest.start();
});

afterEach(() => service.close());

/** Looks until it is so; the limit of the test is its own. */
async function becomes(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await setImmediate();
}

describe('clients that leave', () => {
  it('leave no wait, no channel and no socket behind, 1,000 of them', async () => {
    const shared = randomUUID();
    for (let round = 0; round < 10; round++) {
      // Each in a task of its own and, half of them, in one that all are in.
      const clients = await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const taskId = randomUUID();
          return index % 2 === 0
            ? service.open(`/events?task=python.add:${taskId}&task=python.add:${shared}`, 'event: listening')
            : service.open(`/tasks/python.add/${taskId}`);
        }),
      );
      await becomes(() => service.backend.stats().waits === 150);
      expect(service.backend.stats().channels).toBe(101);
      for (const client of clients) client.destroy();
      await becomes(async () => (await service.connections()) === 0);
      await becomes(() => service.backend.stats().waits === 0 && service.backend.stats().channels === 0);
      expect(service.backend.stats().held).toBe(0);
    }
    expect((await service.ask('/health')).json).toMatchObject({ stats: { waits: 0, channels: 0 } });
  });

  it('are not waited for by a wait of another', async () => {
    const taskId = randomUUID();
    const leaving = await service.open(`/events?task=python.add:${taskId}`, 'event: listening');
    const staying = service.ask(`/tasks/python.add/${taskId}`);
    await becomes(() => service.backend.stats().waits === 2);
    leaving.destroy();
    await becomes(() => service.backend.stats().waits === 1);
    await succeed(service.backend, taskId, 5);
    expect((await staying).json).toMatchObject({ result: 5 });
  });
});

describe('the routes for monitors and browsers', () => {
  it('has metrics for Prometheus: of waits under way, and of those that have ended', async () => {
    const taskId = randomUUID();
    const waiting = service.ask(`/tasks/python.add/${taskId}`);
    await becomes(() => service.backend.stats().waits === 1);
    expect((await service.ask('/metrics')).text).toMatch(/^celery_backend_wait_active\{.*\} 1$/m);
    await succeed(service.backend, taskId, 5);
    await waiting;
    const after = await service.ask('/metrics');
    expect([after.status, after.headers.get('content-type')]).toEqual([200, 'text/plain']);
    expect(after.text).toMatch(/^celery_backend_wait_active\{.*\} 0$/m);
    expect(after.text).toMatch(/^messaging_client_operation_duration_count\{.*operation_name="wait".*\} 1$/m);
  });

  it('says whether Redis answers, and what is waited for', async () => {
    const healthy = await service.ask('/health');
    expect([healthy.status, healthy.json]).toMatchObject([200, { ping: expect.any(Number), stats: { waits: 0 } }]);
    await service.backend.close();
    const closed = await service.ask('/health');
    expect([closed.status, closed.json]).toMatchObject([503, { error: { code: 'CELERY_BACKEND_CLOSED' } }]);
  });

  it('has a page that loads nothing from elsewhere', async () => {
    const html = await service.ask('/');
    expect(html.headers.get('content-security-policy')).toBe("default-src 'self'");
    expect(html.text).toContain('<html lang="en">');
    for (const [, file = ''] of html.text.matchAll(/(?:src|href)="([^":]+)"/g)) {
      expect((await service.ask(`/${file}`)).status).toBe(200);
    }
    expect(html.text).not.toMatch(/https?:/);
  });
});
