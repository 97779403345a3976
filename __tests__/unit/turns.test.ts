import { describe, expect, it } from '@jest/globals';
import { A_TURN, inTurns, nextTurn } from '../../src/turns.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('work over many things', () => {
  it('is done at once where they are few, and has no turn to come', async () => {
    const done: number[] = [];
    const end = inTurns(numbers(A_TURN - 1), (item) => done.push(item));
    expect(done).toEqual(numbers(A_TURN - 1));
    await end;
  });

  it('is 500 of them a turn, in their order, and is over when all are done', async () => {
    const done: number[] = [];
    const over: true[] = [];
    void inTurns(numbers(1200), (item) => done.push(item)).then(() => over.push(true));
    const seen = [done.length];
    while (over.length === 0) {
      await nextTurn();
      seen.push(done.length);
    }
    expect(seen.slice(0, 3)).toEqual([500, 1000, 1200]);
    expect(done).toEqual(numbers(1200));
  });

  it('leaves out what has gone from a Set when its turn comes', async () => {
    const items = new Set(numbers(600));
    const done: number[] = [];
    const end = inTurns(items, (item) => done.push(item));
    items.delete(599);
    await end;
    expect(done).toEqual(numbers(599));
  });
});
