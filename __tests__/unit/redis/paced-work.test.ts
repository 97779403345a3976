import { beforeEach, describe, expect, it } from '@jest/globals';
import { PacedWork } from '../../../src/redis/paced-work.ts';
import { nextTurn } from '../../../src/turns.ts';

let now: number;
let done: string[];
let work: PacedWork;

/** Work of which so much follows in microtasks, three deep, and takes so long there. */
function add(name: string, ms = 0): void {
  work.do(() => {
    done.push(name);
    void Promise.resolve()
      .then(() => undefined)
      .then(() => {
        now += ms;
        done.push(`after ${name}`);
      });
  });
}

/** What is done at the end of each turn from now on. */
async function turns(count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const from = done.length;
    await nextTurn();
    seen.push(done.slice(from).join(', '));
  }
  return seen;
}

beforeEach(() => {
  now = 0;
  done = [];
  work = new PacedWork({ now: () => now });
});

describe('work that comes of replies', () => {
  it('is done at once where it is alone', async () => {
    add('a');
    expect(done).toEqual(['a']);
    await nextTurn();
    add('b');
    expect(done).toEqual(['a', 'after a', 'b']);
  });

  it('of which there is more is done in its order, each after all that the one before it led to, in one turn', async () => {
    for (const name of ['a', 'b', 'c']) add(name);
    expect(done).toEqual(['a']);
    expect(await turns(1)).toEqual(['after a, b, after b, c, after c']);
  });

  it('goes on in the next turn once 4 ms were used, with all that follows from it', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name, 2);
    add('f', 0);
    expect(done).toEqual(['a']);
    expect(await turns(4)).toEqual(['after a, b, after b', 'c, after c, d, after d', 'e, after e, f, after f', '']);
  });

  it('that comes while other work waits is done after it', async () => {
    add('a', 4);
    add('b');
    await Promise.resolve();
    add('c');
    expect(await turns(3)).toEqual(['after a', 'b, after b, c, after c', '']);
    add('d');
    expect(done.at(-1)).toBe('d');
  });
});
