import { describe, expect, it } from '@jest/globals';
import { asking } from '../../../src/redis/asking.ts';
import type { RedisClient } from '../../../src/redis/client.ts';
import { callScript } from '../../../src/redis/scripts.ts';

/** Records its commands, as ioredis would send them. */
class FakeClient {
  readonly sent: string[] = [];
  refuses = false;

  call(...words: string[]): Promise<unknown> {
    this.sent.push(words.join(' '));
    return words[0] === 'ASKING' && this.refuses ? Promise.reject(new Error('NOPERM asking')) : Promise.resolve(1);
  }

  getBuffer(key: string): Promise<Buffer> {
    this.sent.push(`GET ${key}`);
    return Promise.resolve(Buffer.from('x'));
  }

  defineCommand(name: string): void {
    Object.assign(this, { [name]: () => this.call('EVALSHA') });
  }
}

describe('a client that asks', () => {
  it('sends ASKING before each command', async () => {
    const client = new FakeClient();
    const asker = asking(client as unknown as RedisClient);
    await expect(asker.getBuffer('a')).resolves.toEqual(Buffer.from('x'));
    await asker.getBuffer('b');
    expect(client.sent).toEqual(['ASKING', 'GET a', 'ASKING', 'GET b']);
  });

  it('fails by the refusal of ASKING, not by what the command alone leads to', async () => {
    const client = new FakeClient();
    client.refuses = true;
    await expect(asking(client as unknown as RedisClient).getBuffer('a')).rejects.toThrow('NOPERM asking');
    expect(client.sent).toEqual(['ASKING', 'GET a']);
  });

  it('sends scripts whole, whether or not the client knows them', async () => {
    const client = new FakeClient();
    const script = { name: 'aScript', lua: 'return 1' };
    await callScript(client as unknown as RedisClient, script, ['k'], ['v']);
    await expect(callScript(asking(client as unknown as RedisClient), script, ['k'], ['v'])).resolves.toBe(1);
    expect(client.sent).toEqual(['EVALSHA', 'ASKING', 'EVAL return 1 1 k v']);
  });
});
