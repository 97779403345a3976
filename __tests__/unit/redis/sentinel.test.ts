import { describe, expect, it } from '@jest/globals';
import { BackendError } from '../../../src/errors.ts';
import type { RedisClient } from '../../../src/redis/client.ts';
import type { Connection } from '../../../src/redis/connection.ts';
import { confirmMaster, Sentinels } from '../../../src/redis/sentinel.ts';
import { type Address, showAddress } from '../../../src/redis/topology.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

type Word =
  | { readonly port: number; readonly epoch: number; readonly flags?: string; readonly afterMs?: number }
  | Error
  | 'hung';

/** Sentinels that say what they are told to. */
function open(...said: Word[]): { sentinels: Sentinels; clock: VirtualClock; said: Word[]; moves: string[] } {
  const clock = new VirtualClock();
  const moves: string[] = [];
  const connections = said.map((_, index) => {
    const run = (): Promise<unknown> => {
      const word = said[index];
      if (word === 'hung' || word === undefined) return new Promise(() => undefined);
      if (word instanceof Error) return Promise.reject(word);
      const { port, epoch, flags = 'master', afterMs } = word;
      const fields = ['ip', 'h', 'port', String(port), 'flags', flags, 'num-other-sentinels', '2'];
      const reply = [...fields, 'config-epoch', String(epoch)];
      if (afterMs === undefined) return Promise.resolve(reply);
      return new Promise((resolve) => {
        clock.after(afterMs, () => {
          resolve(reply);
        });
      });
    };
    return { run, close: () => Promise.resolve() } as unknown as Connection;
  });
  const sentinels = new Sentinels({
    masterName: 'm',
    connections,
    minOtherSentinels: 0,
    translate: (address: Address) => address,
    everyMs: 2000,
    timeoutMs: 5000,
    clock,
    onMove: (address) => moves.push(showAddress(address)),
  });
  return { sentinels, clock, said, moves };
}

const refusal = (reply: string, text: string): BackendError =>
  new BackendError(`Redis refused SENTINEL MASTER m: ${text}`, { code: 'CELERY_BACKEND_REFUSED', reply });

describe('sentinels', () => {
  it('are believed by the newest failover that one of them knows of', async () => {
    const { sentinels } = open({ port: 1, epoch: 1 }, { port: 2, epoch: 3 }, { port: 1, epoch: 1 });
    await expect(sentinels.find()).resolves.toEqual({ host: 'h', port: 2 });
    await sentinels.close();
  });

  it('that are hung hold the others up for a moment only, and not at all when they are few', async () => {
    const { sentinels, clock } = open('hung', { port: 1, epoch: 1 }, 'hung');
    let found: Address | undefined;
    void sentinels.find().then((address) => (found = address));
    await clock.advance(249);
    expect(found).toBeUndefined();
    await clock.advance(1);
    expect(found).toEqual({ host: 'h', port: 1 });
    await sentinels.close();
    const most = open('hung', { port: 1, epoch: 1 }, { port: 1, epoch: 1 });
    await expect(most.sentinels.find()).resolves.toEqual({ host: 'h', port: 1 });
    await most.sentinels.close();
    expect([clock.timers, most.clock.timers]).toEqual([0, 0]);
  });

  it('are asked again at every heartbeat, and each new place is told once', async () => {
    const { sentinels, clock, said, moves } = open({ port: 1, epoch: 1 });
    await sentinels.find();
    await clock.advance(4000);
    expect(moves).toEqual([]);
    said[0] = { port: 2, epoch: 2 };
    await clock.advance(2000);
    await clock.advance(2000);
    expect(moves).toEqual(['h:2']);
    said[0] = new Error('gone');
    await clock.advance(2000);
    said[0] = { port: 1, epoch: 3 };
    await clock.advance(2000);
    expect(moves).toEqual(['h:2', 'h:1']);
    await sentinels.close();
    expect(clock.timers).toBe(0);
  });

  it('of which most are behind do not move us back, as long as one that knows more may still answer', async () => {
    const { sentinels, clock, said, moves } = open({ port: 1, epoch: 1 }, { port: 1, epoch: 1 }, { port: 1, epoch: 1 });
    await sentinels.find();
    said.splice(0, 3, { port: 2, epoch: 2 }, { port: 1, epoch: 1 }, { port: 1, epoch: 1 });
    await clock.advance(2000);
    expect(moves).toEqual(['h:2']);
    said[0] = { port: 2, epoch: 2, afterMs: 30 };
    await clock.advance(2000);
    await clock.advance(30);
    expect(moves).toEqual(['h:2']);
    const found = sentinels.find();
    await clock.advance(30);
    await expect(found).resolves.toEqual({ host: 'h', port: 2 });
    await sentinels.close();
    expect(clock.timers).toBe(0);
  });

  it('that are most but behind, and do not agree, are not believed when the others have failed', async () => {
    const { sentinels, said } = open({ port: 2, epoch: 3 }, { port: 2, epoch: 3 }, { port: 2, epoch: 3 });
    await sentinels.find();
    said.splice(0, 3, { port: 1, epoch: 1 }, { port: 3, epoch: 2 }, new Error('gone'));
    await expect(sentinels.find()).rejects.toThrow('the sentinels that answer are behind');
    await sentinels.close();
  });

  it('that were reset are believed when all that answer agree, and are most', async () => {
    const { sentinels, clock, said, moves } = open({ port: 2, epoch: 2 }, { port: 2, epoch: 2 }, { port: 2, epoch: 2 });
    await sentinels.find();
    said.splice(0, 3, { port: 1, epoch: 0 }, { port: 1, epoch: 0, afterMs: 300 }, new Error('gone'));
    await clock.advance(2000);
    await clock.advance(299);
    expect(moves).toEqual([]);
    await clock.advance(1);
    expect(moves).toEqual(['h:1']);
    await sentinels.close();
    expect(clock.timers).toBe(0);
  });

  it('of which few answer, with an older failover than is known, are not believed', async () => {
    const { sentinels, clock, said, moves } = open({ port: 2, epoch: 2 }, { port: 2, epoch: 2 }, { port: 2, epoch: 2 });
    await sentinels.find();
    said.splice(0, 3, { port: 1, epoch: 1 }, 'hung', 'hung');
    await clock.advance(2000);
    await clock.advance(250);
    expect(moves).toEqual([]);
    await sentinels.close();
  });

  it.each([
    [
      [refusal('ERR', 'ERR No such master with that name'), new Error('x')],
      /do not know a master of this name/,
      'Error',
    ],
    [[refusal('WRONGPASS', 'WRONGPASS bad'), new Error('x')], /a sentinel refuses us: .*WRONGPASS/, 'LoginRefused'],
    [[{ port: 1, epoch: 1, flags: 's_down,master' } as const], /the master m is down/, 'Error'],
    [[{ port: 0, epoch: 1 }], /gave no address/, 'Error'],
    [[new BackendError('out of reach')], /no sentinel answers: out of reach/, 'Error'],
  ])('that cannot tell say why: %#', async (said, message, name) => {
    const { sentinels } = open(...said);
    const error = await sentinels.find().catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ name, message: expect.stringMatching(message) });
    await sentinels.close();
  });
});

describe('a server that sentinels named', () => {
  const client = (info: () => Promise<string>): RedisClient => ({ info }) as unknown as RedisClient;

  it('is accepted as a master, and when it does not let us look', async () => {
    await confirmMaster(client(() => Promise.resolve('# Replication\r\nrole:master\r\n')));
    await confirmMaster(client(() => Promise.reject(new Error('NOPERM this user has no permissions'))));
    await settle();
  });

  it('is not accepted as a replica, nor when it breaks', async () => {
    const replica = confirmMaster(client(() => Promise.resolve('# Replication\r\nrole:slave\r\n')));
    await expect(replica).rejects.toThrow('it is a replica; the sentinels are behind');
    await expect(confirmMaster(client(() => Promise.reject(new Error('closed'))))).rejects.toThrow('closed');
  });
});
