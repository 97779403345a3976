import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { BackendError } from '../../../src/errors.ts';
import { Connection } from '../../../src/redis/connection.ts';
import { RecordedWarnings } from '../../support/driver.ts';
import { FakeClient } from '../../support/fake-client.ts';
import { failure as failureOf } from '../../support/failure.ts';
import { VirtualClock, settle } from '../../support/virtual-clock.ts';

const failure = failureOf<BackendError>;

interface Pending {
  resolve(): void;
  reject(error: Error): void;
}

/** A step of an attempt that the test settles. */
function step(pending: Pending[]): () => Promise<void> {
  return () =>
    new Promise((resolve, reject) => {
      pending.push({ resolve, reject });
    });
}

function open(steps: { readonly prepare?: boolean; readonly confirm?: boolean } = {}): {
  prepared: Pending[];
  confirmed: Pending[];
  clock: VirtualClock;
  client: FakeClient;
  connection: Connection;
  warnings: RecordedWarnings;
  opened: () => number;
} {
  const clock = new VirtualClock();
  const client = new FakeClient();
  const warnings = new RecordedWarnings();
  let opened = 0;
  const [prepared, confirmed]: [Pending[], Pending[]] = [[], []];
  const connection = new Connection({
    name: 'commands',
    address: 'here:1',
    open: () => {
      opened += 1;
      return client.asClient;
    },
    prepare: steps.prepare ? step(prepared) : undefined,
    confirm: steps.confirm ? step(confirmed) : undefined,
    login: { accepted: false },
    timeoutMs: 5000,
    heartbeatMs: 2000,
    deadAfterMs: 6000,
    warnings,
    clock,
  });
  return { clock, client, connection, warnings, opened: () => opened, prepared, confirmed };
}

describe('a connection', () => {
  it('tries again until it succeeds, at first within 100 ms and later at least every 5 s', async () => {
    const { clock, client, connection } = open();
    const read = failure(connection.whenReady(60_000));
    client.fail();
    await clock.advance(100);
    expect(client.attempts).toBe(2);
    for (let attempt = 2; attempt < 50; attempt += 1) {
      client.fail();
      await clock.advance(5000);
      expect(client.attempts).toBe(attempt + 1);
    }
    await read;
    expect(connection.state).toBe('lost');
    client.succeed();
    expect(connection.state).toBe('ready');
    client.emit('end');
    await clock.advance(100);
    expect(client.attempts).toBe(51);
  });

  it('tries again within 50 ms when it is told to hurry, and never later than without', async () => {
    const { clock, client, connection } = open();
    connection.hurry();
    const read = failure(connection.whenReady(600_000));
    for (let attempt = 1; attempt < 50; attempt += 1) {
      client.fail();
      connection.hurry();
      connection.hurry();
      await clock.advance(50);
      expect(client.attempts).toBe(attempt + 1);
      await clock.advance(5000);
      expect(client.attempts).toBe(attempt + 1);
    }
    client.fail();
    for (let ms = 0; ms < 5000; ms += 5) {
      await clock.advance(5);
      connection.hurry();
    }
    expect(client.attempts).toBe(51);
    connection.hurry();
    await connection.close();
    connection.hurry();
    await clock.advance(10_000);
    expect(client.attempts).toBe(51);
    await read;
  });

  it('grows its delays, and spreads them', async () => {
    const totals: number[] = [];
    for (let run = 0; run < 20; run += 1) {
      const { clock, client, connection } = open();
      void failure(connection.whenReady(3_600_000));
      client.fail();
      for (let attempt = 2; attempt <= 7; attempt += 1) {
        while (client.attempts < attempt) await clock.advance(10);
        client.fail();
      }
      totals.push(clock.now());
    }
    const mean = totals.reduce((sum, total) => sum + total) / totals.length;
    // The limits are 100, 200, ... 3,200 ms, of which each delay is half on average.
    expect(mean).toBeGreaterThan(1800);
    expect(mean).toBeLessThan(4600);
    expect(new Set(totals).size).toBeGreaterThan(10);
  });

  it('that is closed in an outage leaves no timer, and tries no more', async () => {
    const { clock, client, connection } = open();
    const read = failure(connection.whenReady(60_000));
    client.fail();
    await connection.close();
    await expect(read).resolves.toMatchObject({ code: 'CELERY_BACKEND_CLOSED' });
    expect(clock.timers).toBe(0);
    await clock.advance(60_000);
    expect(client.attempts).toBe(1);
    expect(client.disconnects).toBe(0);
  });

  it('that was refused leaves no timer, tries no more, and opens a new client for a later call', async () => {
    const { clock, client, connection, opened, warnings } = open();
    const read = failure(connection.whenReady(60_000));
    client.fail('WRONGPASS invalid username-password pair', 'ReplyError');
    await expect(read).resolves.toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGPASS' });
    await settle();
    expect(clock.timers).toBe(0);
    await clock.advance(60_000);
    expect([client.attempts, opened()]).toEqual([1, 1]);
    client.removeAllListeners();
    const again = connection.whenReady(1000);
    client.succeed();
    await again;
    expect([client.attempts, opened()]).toEqual([2, 2]);
    expect(warnings.given).toEqual([]);
    await connection.close();
    expect(clock.timers).toBe(0);
  });

  it('that is closed while it is ready leaves no timer', async () => {
    const { clock, client, connection } = open();
    const ready = connection.whenReady(1000);
    client.succeed();
    await ready;
    await clock.advance(10_000);
    await connection.close();
    expect(clock.timers).toBe(0);
    expect([client.attempts, client.disconnects]).toEqual([1, 1]);
  });

  it('never passes on an error of ioredis, nor as a cause', async () => {
    const { client, connection } = open();
    const call = failure(
      connection.run({
        what: 'GET key',
        key: 'key',
        send: () => Promise.reject(Object.assign(new Error('not writeable'), { command: { args: ['SECRET'] } })),
      }),
    );
    client.succeed();
    const error = await call;
    expect(error.message).toBe('The link to Redis at here:1 broke during GET key (not writeable).');
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('SECRET');
    await connection.close();
  });

  it('survives a command that throws instead of rejecting', async () => {
    const { client, connection } = open();
    const call = failure(
      connection.run({
        what: 'GET key',
        key: 'key',
        send: () => {
          throw new RangeError('Invalid string length');
        },
      }),
    );
    client.succeed();
    await expect(call).resolves.toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
    await connection.close();
  });

  it('makes a call wait while its socket is broken and no event has said so yet', async () => {
    const { clock, client, connection } = open();
    const ready = connection.whenReady(1000);
    client.succeed();
    await ready;
    client.stream.writable = false;
    let sent = 0;
    const call = connection.run({ what: 'GET key', key: 'key', send: () => Promise.resolve((sent += 1)) });
    await settle();
    expect([connection.state, sent]).toEqual(['ready', 0]);
    client.emit('end');
    await clock.advance(100);
    client.stream.writable = true;
    client.succeed();
    await expect(call).resolves.toBe(1);
    await connection.close();
  });

  it('bounds a call by its own timeout, and hints at TLS while nothing tells of an error', async () => {
    const { clock, connection } = open();
    const call = failure(connection.run({ what: 'PING', key: null, timeoutMs: 20_000, send: () => Promise.resolve() }));
    await clock.advance(19_999);
    expect(clock.timers).toBe(1);
    await clock.advance(1);
    expect((await call).message).toBe(
      'Redis at here:1 is out of reach (no answer yet; check the address, and that both sides or neither use TLS).',
    );
    await connection.close();
  });

  it('tells the first error of an attempt, not what followed from it', async () => {
    const { client, connection } = open();
    const call = failure(connection.whenReady(1000));
    client.emit('error', new Error('Protocol error, got "H" as reply type byte'));
    client.fail('Connection is closed.');
    await connection.close();
    await call;
    expect(connection.outage().message).toBe(
      'Redis at here:1 is out of reach (what answers there is not Redis; check host and port).',
    );
  });

  it('warns of each outage, with what to check', async () => {
    const { client, connection, warnings } = open();
    void failure(connection.whenReady(1000));
    client.fail();
    client.fail();
    expect(warnings.given).toEqual([
      {
        code: 'CELERY_CONNECTION',
        message: 'No commands connection to Redis at here:1 (connect ECONNREFUSED); trying again until there is one.',
      },
    ]);
    await connection.close();
  });

  it('prepares each attempt, and a preparation that fails is an attempt that failed', async () => {
    const { clock, client, connection, prepared } = open({ prepare: true });
    const ready = connection.whenReady(10_000);
    expect(client.attempts).toBe(0);
    prepared[0]?.reject(new Error('no master'));
    await settle();
    expect([connection.state, client.attempts]).toEqual(['lost', 0]);
    expect(connection.outage().message).toBe('Redis at here:1 is out of reach (no master).');
    await clock.advance(100);
    prepared[1]?.resolve();
    await settle();
    expect(client.attempts).toBe(1);
    client.succeed();
    await ready;
    await connection.close();
    expect(clock.timers).toBe(0);
  });

  it('that is closed while an attempt is prepared never connects', async () => {
    const { clock, client, connection, prepared } = open({ prepare: true });
    const ready = failure(connection.whenReady(10_000));
    await connection.close();
    prepared[0]?.resolve();
    await settle();
    expect([client.attempts, clock.timers]).toEqual([0, 0]);
    await ready;
  });

  it('is ready only when its server is confirmed, and drops one that is not', async () => {
    const { clock, client, connection, confirmed } = open({ confirm: true });
    const ready = connection.whenReady(10_000);
    client.succeed();
    expect(connection.state).toBe('connecting');
    confirmed[0]?.reject(new Error('it is a replica'));
    await settle();
    expect(connection.outage().message).toBe('Redis at here:1 is out of reach (it is a replica).');
    await clock.advance(100);
    client.succeed();
    confirmed[1]?.resolve();
    await ready;
    expect(connection.state).toBe('ready');
    await connection.close();
  });

  it('that is dropped before its socket is there closes that socket as soon as it is', async () => {
    const { client, connection } = open();
    const ready = failure(connection.whenReady(10_000));
    connection.drop('the master has moved');
    expect(connection.state).toBe('connecting');
    client.succeed();
    expect(connection.state).toBe('lost');
    expect(connection.outage().message).toBe('Redis at here:1 is out of reach (the master has moved).');
    await connection.close();
    await ready;
  });

  it('tells of each outage once', async () => {
    const { clock, client, connection } = open();
    let lost = 0;
    connection.onLost(() => (lost += 1));
    void failure(connection.whenReady(10_000));
    client.fail();
    await clock.advance(100);
    client.fail();
    expect(lost).toBe(1);
    await connection.close();
  });
});
