import { beforeEach, describe, expect, it } from '@jest/globals';
import { BackendError } from '../../../src/errors.ts';
import type { Call, ConnectionState } from '../../../src/redis/call.ts';
import type { RedisClient } from '../../../src/redis/client.ts';
import type { Connection } from '../../../src/redis/connection.ts';
import { RedisSubscriber } from '../../../src/redis/subscriber.ts';
import { RecordedWarnings } from '../../support/driver.ts';

type Results = [error: Error | null, reply: unknown][] | null;

/** A connection with a client whose pipelines are noted, and answered by `results`. */
class FakeConnection {
  state: ConnectionState = 'ready';
  readonly calls: Call<unknown>[] = [];
  readonly pipelines: string[][] = [];
  results: (commands: readonly string[]) => Results = (commands) => commands.map(() => [null, 1]);
  message: (channel: Buffer, payload: Buffer) => void = () => undefined;

  outage(): BackendError {
    return new BackendError('the link is down', { code: 'CELERY_BACKEND_UNAVAILABLE' });
  }

  onClient(listener: (client: RedisClient) => void): void {
    const on = (event: string, told: (channel: Buffer, payload: Buffer) => void): void => {
      if (event === 'messageBuffer') this.message = told;
    };
    listener({ on } as unknown as RedisClient);
  }

  run<T>(call: Call<T>): Promise<T> {
    this.calls.push(call);
    const pipeline = (): unknown => {
      const commands: string[] = [];
      this.pipelines.push(commands);
      return {
        subscribe: (channel: string) => commands.push(`SUBSCRIBE ${channel}`),
        unsubscribe: (channel: string) => commands.push(`UNSUBSCRIBE ${channel}`),
        exec: () => Promise.resolve(this.results(commands)),
      };
    };
    return call.send({ pipeline } as unknown as RedisClient);
  }
}

let connection: FakeConnection;
let warnings: RecordedWarnings;
let subscriber: RedisSubscriber;

beforeEach(() => {
  connection = new FakeConnection();
  warnings = new RecordedWarnings();
  subscriber = new RedisSubscriber(connection as unknown as Connection, warnings);
});

const channels = (count: number): string[] => Array.from({ length: count }, (_, index) => `c${index}`);
const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('what a subscriber is told', () => {
  it('goes to its listener, and to nobody without one', () => {
    connection.message(Buffer.from('a'), Buffer.from('x'));
    subscriber.connected(true);
    subscriber.connected(false);
    const told: unknown[] = [];
    subscriber.listen({
      onMessage: (channel, payload) => told.push([channel, Buffer.from(payload).toString()]),
      onReady: () => told.push('ready'),
      onReconnect: () => told.push('reconnect'),
    });
    connection.message(Buffer.from('celery-é'), Buffer.from('x'));
    subscriber.connected(true);
    subscriber.connected(false);
    expect(told).toEqual([['celery-é', 'x'], 'ready', 'reconnect']);
  });
});

describe('SUBSCRIBE', () => {
  it('is sent once a channel, in one pipeline that waits as long as its link lives', async () => {
    await expect(subscriber.subscribe(['a', 'b'])).resolves.toEqual([null, null]);
    expect(connection.pipelines).toEqual([['SUBSCRIBE a', 'SUBSCRIBE b']]);
    expect(connection.calls).toMatchObject([{ key: null, patient: true }]);
  });

  it.each([
    [['a'], 'SUBSCRIBE a'],
    [['a', 'b', 'c'], 'SUBSCRIBE a and 2 more'],
  ])('is called by its channels in messages: %j', async (names, what) => {
    await subscriber.subscribe(names);
    expect(connection.calls.map((call) => call.what)).toEqual([what]);
  });

  it.each([
    [0, []],
    [1_000, [1_000]],
    [2_001, [1_000, 1_000, 1]],
  ])('of %d channels makes pipelines of 1,000 at the most, all at once', async (count, lengths) => {
    const subscribed = subscriber.subscribe(channels(count));
    expect(connection.pipelines.map(({ length }) => length)).toEqual(lengths);
    await expect(subscribed).resolves.toHaveLength(count);
    expect(connection.pipelines.flat()).toEqual(channels(count).map((channel) => `SUBSCRIBE ${channel}`));
  });

  it('that Redis refuses for one channel tells which, and has the others', async () => {
    connection.results = () => [
      [null, 1],
      [reply('NOPERM not this channel'), undefined],
    ];
    const [first, second] = await subscriber.subscribe(['a', 'b']);
    expect(first).toBeNull();
    expect(second).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' });
    expect(second?.message).toBe(
      'Redis refused SUBSCRIBE b: NOPERM not this channel (allow it: ACL SETUSER <user> &b)',
    );
  });

  it('rejects when the link breaks before its replies', async () => {
    connection.results = () => [
      [null, 1],
      [new Error('Connection is closed.'), undefined],
    ];
    await expect(subscriber.subscribe(['a', 'b'])).rejects.toThrow('Connection is closed.');
  });

  it('of a pipeline that was given up has no replies', async () => {
    connection.results = () => null;
    await expect(subscriber.subscribe(['a'])).resolves.toEqual([]);
  });

  it('rejects at once while the link is lost, and only then', async () => {
    connection.state = 'lost';
    await expect(subscriber.subscribe(['a'])).rejects.toThrow('the link is down');
    expect(connection.calls).toEqual([]);
    connection.state = 'connecting';
    await expect(subscriber.subscribe(['a'])).resolves.toEqual([null]);
  });
});

describe('UNSUBSCRIBE', () => {
  it('is sent once a channel, in one pipeline', async () => {
    await expect(subscriber.unsubscribe(['a', 'b'])).resolves.toEqual([null, null]);
    expect(connection.pipelines).toEqual([['UNSUBSCRIBE a', 'UNSUBSCRIBE b']]);
    expect(connection.calls.map((call) => call.what)).toEqual(['UNSUBSCRIBE a and 1 more']);
  });

  it.each(['idle', 'connecting', 'lost', 'closed'] as const)('is not sent over a link that is %s', async (state) => {
    connection.state = state;
    await expect(subscriber.unsubscribe(['a', 'b'])).resolves.toEqual([null, null]);
    expect(connection.calls).toEqual([]);
  });

  it('does not reject when the link breaks', async () => {
    connection.results = () => [
      [reply('NOPERM not this command'), undefined],
      [new Error('Connection is closed.'), undefined],
    ];
    await expect(subscriber.unsubscribe(['a', 'b'])).resolves.toEqual([null, null]);
    expect(warnings.given).toEqual([]);
  });

  it('that Redis refuses for good tells which, and is a warning', async () => {
    connection.results = () => [
      [null, 1],
      [reply('BUSY a script is running'), undefined],
      [reply("NOPERM this user has no permissions to run the 'unsubscribe' command"), undefined],
    ];
    const outcomes = await subscriber.unsubscribe(['a', 'b', 'c']);
    expect(outcomes).toMatchObject([null, { reply: 'BUSY' }, { code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' }]);
    expect(warnings.given).toEqual([
      {
        code: 'CELERY_CHANNEL_KEPT',
        message: expect.stringMatching(/stay subscribed until .* refused UNSUBSCRIBE c: NOPERM .*\+unsubscribe/),
      },
    ]);
  });

  it('that Redis refuses for now is no warning', async () => {
    connection.results = () => [[reply('BUSY a script is running'), undefined]];
    await expect(subscriber.unsubscribe(['a'])).resolves.toMatchObject([{ reply: 'BUSY' }]);
    expect(warnings.given).toEqual([]);
  });
});
