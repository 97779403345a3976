import { describe, expect, it } from '@jest/globals';
import { A_PART, A_TURN, inParts, inTurns, nextTurn } from '../../src/turns.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('work over many things', () => {
  it('is done at once where they are few, and has no turn to come', async () => {
    const done: number[] = [];
    const end = inTurns(numbers(A_TURN - 1), A_TURN, (item) => done.push(item));
    expect(done).toEqual(numbers(A_TURN - 1));
    await end;
  });

  it('is 64 of them a turn, in their order, and is over when all are done', async () => {
    const done: number[] = [];
    const over: true[] = [];
    void inTurns(numbers(150), A_TURN, (item) => done.push(item)).then(() => over.push(true));
    const seen = [done.length];
    while (over.length === 0) {
      await nextTurn();
      seen.push(done.length);
    }
    expect(seen.slice(0, 3)).toEqual([64, 128, 150]);
    expect(done).toEqual(numbers(150));
  });

  it('leaves out what has gone from a Set when its turn comes', async () => {
    const items = new Set(numbers(250));
    const done: number[] = [];
    const end = inTurns(items, A_TURN, (item) => done.push(item));
    items.delete(249);
    await end;
    expect(done).toEqual(numbers(249));
  });
});

describe('parts of many things', () => {
  it('are handed over one a turn, the first at once', async () => {
    const parts: number[][] = [];
    const end = inParts(numbers(2 * A_PART + 1), (part) => parts.push([...part]));
    const seen = [parts.length];
    for (let turn = 0; turn < 3; turn += 1) {
      await nextTurn();
      seen.push(parts.length);
    }
    await end;
    expect([seen, parts.flat()]).toEqual([[1, 2, 3, 3], numbers(2 * A_PART + 1)]);
  });

  it('are none of nothing, and end with what the taker throws', async () => {
    const parts: unknown[] = [];
    await inParts([], (part) => parts.push(part));
    expect(parts).toEqual([]);
    const failing = inParts(numbers(2 * A_PART), (part) => {
      parts.push(part);
      throw new Error('enough');
    });
    await expect(failing).rejects.toThrow('enough');
    expect(parts).toHaveLength(1);
  });
});
