import { describe, expect, it } from '@jest/globals';
import { TickBatch } from '../../../src/redis/tick-batch.ts';
import { settle } from '../../support/virtual-clock.ts';

describe('what one turn asks for', () => {
  it('leaves together, in order, after all microtasks of the turn', async () => {
    const sent: number[][] = [];
    const batch = new TickBatch<number>((items) => sent.push(items));
    batch.add(1);
    batch.add(2);
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => {
        batch.add(3);
      });
    expect(sent).toEqual([]);
    await settle();
    batch.add(4);
    await settle();
    expect(sent).toEqual([[1, 2, 3], [4]]);
  });

  it('leaves at once by a flush, and not again', async () => {
    const sent: number[][] = [];
    const batch = new TickBatch<number>((items) => sent.push(items));
    batch.flush();
    batch.add(1);
    batch.flush();
    expect(sent).toEqual([[1]]);
    await settle();
    expect(sent).toEqual([[1]]);
  });

  it('leaves with what comes while it is sent as the next', async () => {
    const sent: number[][] = [];
    const batch: TickBatch<number> = new TickBatch<number>((items) => {
      sent.push(items);
      if (items[0] === 1) batch.add(2);
    });
    batch.add(1);
    await settle();
    expect(sent).toEqual([[1], [2]]);
  });
});
