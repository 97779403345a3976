import { describe, expect, it } from '@jest/globals';
import { ClusterMap } from '../../../src/redis/cluster-map.ts';
import { Connection } from '../../../src/redis/connection.ts';
import { RecordedWarnings } from '../../support/driver.ts';
import { FakeClient } from '../../support/fake-client.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('the map of a cluster', () => {
  it('tells when a node is there for the first time, as well as when it is back: reads may have failed for want of it', async () => {
    const clock = new VirtualClock();
    const client = new FakeClient();
    const connection = new Connection({
      name: 'commands',
      address: 'node:1',
      open: () => client.asClient,
      login: { accepted: false },
      timeoutMs: 5000,
      heartbeatMs: 2000,
      deadAfterMs: 6000,
      warnings: new RecordedWarnings(),
      clock,
    });
    const map = new ClusterMap({ seeds: [], translate: (address) => address, connect: () => connection, clock });
    const told: boolean[] = [];
    map.onReady((first) => told.push(first));
    const ready = map.node({ host: 'node', port: 1 }).connection.whenReady(60_000);
    client.emit('connect');
    client.emit('ready');
    await ready;
    expect(told).toEqual([true]);
    client.emit('end');
    await clock.advance(100);
    client.emit('connect');
    client.emit('ready');
    expect(told).toEqual([true, false]);
  });

  it('gives nodes that have left no longer than the others when it is closed', async () => {
    let owner = 'a';
    const closed: unknown[] = [];
    const connect = ({ host }: { readonly host: string }): Connection => {
      const fake = {
        state: 'ready',
        reconnects: 0,
        onReady: () => undefined,
        onLost: () => undefined,
        run: () => Promise.resolve([[0, 16_383, [owner, 1, owner]]]),
        close: (graceMs?: number) => {
          closed.push([host, graceMs]);
          // A call of it is under way until the end.
          return new Promise<void>((resolve) => {
            if (graceMs !== undefined) resolve();
          });
        },
      };
      return fake as unknown as Connection;
    };
    const seeds = [{ host: 'a', port: 1 }];
    const map = new ClusterMap({ seeds, translate: (address) => address, connect, clock: new VirtualClock() });
    await map.refresh();
    owner = 'b';
    map.node({ host: 'b', port: 1 });
    await map.refresh();
    expect(closed).toEqual([['a', undefined]]);
    await map.close(250);
    expect(closed).toEqual([
      ['a', undefined],
      ['b', 250],
      ['a', 250],
    ]);
  });
});
