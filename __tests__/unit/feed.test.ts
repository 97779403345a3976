import { describe, expect, it } from '@jest/globals';
import { WaitFailure } from '../../src/consumer/channel.ts';
import { Feed } from '../../src/consumer/feed.ts';
import { mapped, Stream } from '../../src/stream.ts';
import { outcome } from '../support/contract/context.ts';
import { settle } from '../support/virtual-clock.ts';

const failed = (text: string): WaitFailure => new WaitFailure('failed', () => new Error(text));

async function all<T>(items: AsyncIterable<T>): Promise<(T | Error)[]> {
  const seen: (T | Error)[] = [];
  try {
    for await (const item of items) seen.push(item);
  } catch (error) {
    seen.push(error as Error);
  }
  return seen;
}

describe('a feed', () => {
  it('gives what was added before its end, and what is added while its reader waits', async () => {
    const feed = new Feed<number>(10);
    feed.push(1);
    const read = all(feed.items());
    await settle();
    feed.push(2);
    feed.push(3);
    await settle();
    feed.push(4);
    feed.end();
    feed.push(5);
    expect(await read).toEqual([1, 2, 3, 4]);
  });

  it('drops the oldest of what is unread beyond its limit, and never the last', async () => {
    const feed = new Feed<number>(3);
    for (let item = 1; item <= 1_000; item += 1) feed.push(item);
    feed.end();
    expect(await all(feed.items())).toEqual([998, 999, 1000]);
  });

  it('throws its failure after what was added, the first one', async () => {
    const feed = new Feed<number>(3);
    feed.push(1);
    feed.end(failed('first'));
    feed.end(failed('second'));
    expect(await all(feed.items())).toEqual([1, new Error('first')]);
  });

  it('that is aborted gives nothing that is unread, also after its end', async () => {
    const feed = new Feed<number>(3);
    feed.push(1);
    feed.end();
    feed.abort(failed('enough'));
    expect(await all(feed.items())).toEqual([new Error('enough')]);
  });
});

/** Items that never come, which end when they are left. */
function silent(): { readonly stream: Stream<number>; readonly state: { begun: number; ended: number } } {
  const state = { begun: 0, ended: 0 };
  const stream = new Stream<number>(async function* (left) {
    state.begun += 1;
    yield 1;
    await new Promise<void>((resolve) => {
      left.addEventListener('abort', () => {
        resolve();
      });
    });
    state.ended += 1;
  });
  return { stream, state };
}

describe('a stream', () => {
  it('does nothing before the first next, and nothing at all when it is left before', async () => {
    const { stream, state } = silent();
    await settle();
    await stream.return();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(state).toEqual({ begun: 0, ended: 0 });
  });

  it.each([
    ['return', (stream: Stream<number>): Promise<unknown> => stream.return()],
    ['throw', (stream: Stream<number>): Promise<unknown> => outcome(stream.throw(new Error('enough')))],
    ['disposal', (stream: Stream<number>): Promise<unknown> => stream[Symbol.asyncDispose]()],
  ])('is over at once by %s while a next is pending', async (_, leave) => {
    const { stream, state } = silent();
    await stream.next();
    const pending = stream.next();
    await leave(stream);
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(state).toEqual({ begun: 1, ended: 1 });
  });

  it('that is made of another leaves it at once', async () => {
    const { stream, state } = silent();
    const doubled = mapped(
      () => stream,
      (item) => Promise.resolve(item * 2),
    );
    expect(await doubled.next()).toEqual({ done: false, value: 2 });
    const pending = doubled.next();
    await doubled.return();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(state.ended).toBe(1);
  });

  it('that is made of another leaves it when an item cannot be made', async () => {
    const { stream, state } = silent();
    const broken = mapped(
      () => stream,
      () => {
        throw new Error('broken');
      },
    );
    expect(await outcome(broken.next())).toEqual(new Error('broken'));
    expect([await stream.next(), state.begun]).toEqual([{ done: true, value: undefined }, 1]);
  });
});
