import { describe, expect, it } from '@jest/globals';
import { answeredLast } from '../../../src/redis/answered-last.ts';
import type { RedisClient } from '../../../src/redis/client.ts';

/** Notes what is asked of it, in order. */
class FakeClient {
  readonly log: string[] = [];
  readonly stream = { cork: (): unknown => this.log.push('cork'), uncork: (): unknown => this.log.push('uncork') };
  pong: Promise<string> = Promise.resolve('PONG');

  ping(): Promise<string> {
    this.log.push('PING');
    return this.pong;
  }

  send<T>(send: () => Promise<T>): Promise<T> {
    return answeredLast(this as unknown as RedisClient, () => {
      this.log.push('send');
      return send();
    });
  }
}

describe('what is answered last', () => {
  it('is sent in one piece with a PING ahead of it', async () => {
    const fake = new FakeClient();
    await expect(fake.send(() => Promise.resolve(1))).resolves.toBe(1);
    expect(fake.log).toEqual(['cork', 'PING', 'send', 'uncork']);
  });

  it('is answered all the same when the PING is refused', async () => {
    const fake = new FakeClient();
    fake.pong = Promise.reject(new Error("NOPERM this user has no permissions to run the 'ping' command"));
    await expect(fake.send(() => Promise.resolve(1))).resolves.toBe(1);
  });

  it('holds nothing back when it cannot be sent', () => {
    const fake = new FakeClient();
    const fail = (): never => {
      throw new Error('not sent');
    };
    expect(() => fake.send(fail)).toThrow('not sent');
    expect(fake.log).toEqual(['cork', 'PING', 'send', 'uncork']);
  });
});
