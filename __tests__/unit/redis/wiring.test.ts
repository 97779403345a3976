import { describe, expect, it } from '@jest/globals';
import { wire } from '../../../src/redis/wiring.ts';
import { RecordedWarnings } from '../../support/driver.ts';
import { FakeClient } from '../../support/fake-client.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const TIMES = { connectTimeout: 5, commandTimeout: 5, heartbeat: 2, deadAfter: 6 };

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
