/** Reads that are all there is of a wait: how many are under way, and how they end. */
import { describe, expect, it } from '@jest/globals';
import type { WaitEnd } from '../../src/consumer/channel.ts';
import { Completions } from '../../src/consumer/completions.ts';
import { Looks } from '../../src/consumer/looks.ts';
import { Tally } from '../../src/consumer/tally.ts';
import { BackendClosedError } from '../../src/errors.ts';
import type { TaskMeta } from '../../src/meta.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const never = new Promise<never>(() => undefined);

describe('looks', () => {
  it('are counted by their tasks while they last', async () => {
    const looks = new Looks();
    let answer: (text: string) => void = () => undefined;
    const reading = looks.one(
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
      3,
    );
    void looks.one(never);
    expect(looks.size).toBe(4);
    answer('there');
    expect([await reading, looks.size]).toEqual(['there', 1]);
  });

  it('are no longer counted when they fail', async () => {
    const looks = new Looks();
    await expect(looks.one(Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(looks.size).toBe(0);
  });

  it('end when they are closed, as closed', async () => {
    const looks = new Looks();
    const look = looks.one(never);
    looks.close();
    const { outcome, error } = await look;
    expect([outcome, error(), looks.size]).toEqual(['closed', expect.any(BackendClosedError), 0]);
  });

  it('are no longer counted once what they are part of waits, or is over', async () => {
    const looks = new Looks();
    const done: TaskMeta = { status: 'SUCCESS', result: null };
    const waits: ((end: WaitEnd) => void)[] = [];
    let answer: (metas: ReadonlyMap<string, TaskMeta>) => void = () => undefined;
    const parts = {
      clock: new VirtualClock(),
      lastLookMs: 250,
      usable: () => true,
      readMany: () => new Promise<ReadonlyMap<string, TaskMeta>>((resolve) => (answer = resolve)),
      wait: () => new Promise<WaitEnd>((end) => waits.push(end)),
      tally: new Tally(),
      looks,
    };
    const first = new Completions(parts, ['a', 'b'], { observerOf: () => undefined }).run();
    const next = first.next();
    expect(looks.size).toBe(2);
    answer(new Map());
    await settle();
    expect([looks.size, waits.length]).toEqual([0, 2]);
    waits[0]?.(done);
    await next;
    await first.return(undefined);

    const second = new Completions(parts, ['a', 'b'], { observerOf: () => undefined }).run();
    const ready = second.next();
    answer(new Map([['a', done]]));
    await ready;
    await second.return(undefined);
    expect(looks.size).toBe(0);
  });
});
