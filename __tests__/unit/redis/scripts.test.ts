import { describe, expect, it } from '@jest/globals';
import type { RedisClient } from '../../../src/redis/client.ts';
import {
  callScript,
  COMPARED_WRITE,
  probedWrite,
  outcomesOf,
  type Script,
  toArgument,
  UNGUARDED_WRITE,
} from '../../../src/redis/scripts.ts';

/** What Redis does with these scripts is shown on a real one: `__tests__/redis/store.test.ts`. */
const probed = (): Script => probedWrite('return probe_of_mine', 7);

/** Notes what is defined and called, and answers with a reply. */
class FakeClient {
  readonly defined: unknown[] = [];
  readonly called: unknown[] = [];
  reply: unknown = '1';

  defineCommand(name: string, definition: unknown): void {
    this.defined.push([name, definition]);
    Object.assign(this, {
      [name]: (...words: unknown[]) => {
        this.called.push([name, ...words]);
        return Promise.resolve(this.reply);
      },
    });
  }

  get client(): RedisClient {
    return this as unknown as RedisClient;
  }
}

/** Where some words are in a script; they must all be there, in this order. */
function inOrder({ lua }: Script, words: readonly string[]): void {
  const places = words.map((word) => lua.indexOf(word));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
}

describe('the scripts of a write', () => {
  it('have a name each', () => {
    const names = [UNGUARDED_WRITE, COMPARED_WRITE, probed(), probedWrite('return false', 8)].map(({ name }) => name);
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name).toMatch(/^celeryWrite\w+$/);
  });

  it('publish what they have set, and nothing else', () => {
    for (const script of [UNGUARDED_WRITE, probed(), COMPARED_WRITE]) inOrder(script, ["'SETEX'", "'PUBLISH'"]);
  });

  it('tell the outcome of each key in one text', () => {
    for (const script of [UNGUARDED_WRITE, probed()])
      inOrder(script, ['write(key, ARGV', "table.concat(outcomes, ';;')"]);
  });

  it('look at the kind of a key, and ask the probe, before they store', () => {
    inOrder(probed(), ['probe_of_mine', "'GETRANGE'", 'pcall(is_success, key)', 'return store(key']);
  });

  it('compare before they store', () => {
    inOrder(COMPARED_WRITE, ["'GET', KEYS[1]", 'ARGV[3] or false', "return '3'", 'store(KEYS[1]']);
  });
});

describe('a script', () => {
  it('is defined once for each number of keys', async () => {
    const fake = new FakeClient();
    const script = { name: 'mine', lua: 'return 1' };
    await callScript(fake.client, script, ['a'], ['x']);
    await callScript(fake.client, script, ['b'], []);
    await expect(callScript(fake.client, script, ['a', 'b'], ['x', 'y'])).resolves.toBe('1');
    expect(fake.defined).toEqual([
      ['mineFor1', { lua: 'return 1', numberOfKeys: 1 }],
      ['mineFor2', { lua: 'return 1', numberOfKeys: 2 }],
    ]);
    expect(fake.called).toEqual([
      ['mineFor1', 'a', 'x'],
      ['mineFor1', 'b'],
      ['mineFor2', 'a', 'b', 'x', 'y'],
    ]);
  });

  it.each([
    ['1', [1]],
    ['0;;2;;WRONGTYPE a text', [0, 2, 'WRONGTYPE a text']],
    ['ERR 1;;42;;1 of many', ['ERR 1', '42', '1 of many']],
    ['', ['']],
  ])('of writes has one outcome a key: %j', (reply, outcomes) => {
    expect(outcomesOf(reply)).toEqual(outcomes);
  });
});

describe('what ioredis is given', () => {
  it('is a text up to 64 Ki units, and bytes beyond', () => {
    const text = 'é'.repeat(64 * 1024);
    expect(toArgument(text)).toBe(text);
    expect(toArgument(`${text}x`)).toEqual(Buffer.from(`${text}x`));
  });

  it('is a view of the same bytes, not a copy', () => {
    const bytes = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    const argument = toArgument(bytes);
    expect([Buffer.isBuffer(argument), argument]).toEqual([true, Buffer.from([1, 2])]);
    bytes[0] = 7;
    expect(argument).toEqual(Buffer.from([7, 2]));
  });
});
