import { describe, expect, it } from '@jest/globals';
import { wire } from '../../../src/redis/wiring.ts';
import { RecordedWarnings } from '../../support/driver.ts';
import { FakeClient } from '../../support/fake-client.ts';
import { failure } from '../../support/failure.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

const TIMES = { connectTimeout: 5, commandTimeout: 5, heartbeat: 2, deadAfter: 6 };

describe('a provider of credentials that never answers', () => {
  it('keeps no timer once what asked it is closed', async () => {
    const clock = new VirtualClock();
    let asked = 0;
    const credentials = (): Promise<never> => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const wiring = wire(
      { ...TIMES, credentials, warnings: new RecordedWarnings(), clock },
      {
        address: 'here:1',
        url: 'redis://here:1',
        discovery: { kind: 'server' },
        open: () => new FakeClient().asClient,
      },
    );
    const calls = [wiring.commands, wiring.subscriber].map((connection) =>
      failure(connection.run({ what: 'PING', key: null, send: (client) => client.ping() })),
    );
    await settle();
    expect([asked, clock.timers]).toEqual([2, 4]);
    await wiring.close();
    expect(clock.timers).toBe(0);
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
  });
});

describe('the two connections to one server', () => {
  it.each([
    ['commands', 'subscriber'],
    ['subscriber', 'commands'],
  ] as const)('%s that is ready again has %s tried within 50 ms', async (first, other) => {
    const clock = new VirtualClock();
    const clients = { commands: new FakeClient(), subscriber: new FakeClient(), sentinel: new FakeClient() };
    const wiring = wire(
      { ...TIMES, warnings: new RecordedWarnings(), clock },
      {
        address: 'here:1',
        url: 'redis://here:1',
        discovery: { kind: 'server' },
        open: (role) => clients[role].asClient,
      },
    );
    const reads = [wiring.commands, wiring.subscriber].map((connection) =>
      connection.run({ what: 'PING', key: null, timeoutMs: 600_000, send: (client) => client.ping() }),
    );
    for (let outage = 0; outage < 20; outage += 1) {
      // Both have failed so often that their pauses are as long as they get.
      for (let attempt = 0; attempt < 10; attempt += 1) {
        clients.commands.fail();
        clients.subscriber.fail();
        await clock.advance(5000);
      }
      clients[other].fail();
      const before = clients[other].attempts;
      clients[first].succeed();
      await clock.advance(50);
      expect(clients[other].attempts).toBe(before + 1);
      clients[other].succeed();
    }
    await expect(Promise.all(reads)).resolves.toEqual(['PONG', 'PONG']);
    await wiring.close();
  });
});
