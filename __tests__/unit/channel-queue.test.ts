import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../src/consumer/channel.ts';
import { ChannelQueue } from '../../src/consumer/channel-queue.ts';

function queueOf(...keys: readonly string[]): ChannelQueue {
  const queue = new ChannelQueue();
  for (const key of keys) queue.add(new Channel(key, key));
  return queue;
}

const take = (queue: ChannelQueue, most = 10): string[] => queue.take(most).map(({ key }) => key);

describe('a queue of channels', () => {
  it('gives them in the order they came, so many at a time', () => {
    const queue = queueOf('a', 'b', 'c');
    expect([take(queue, 2), queue.size, take(queue, 2), queue.size]).toEqual([['a', 'b'], 1, ['c'], 0]);
  });

  it('takes in more after it was emptied', () => {
    const queue = queueOf('a');
    expect(take(queue)).toEqual(['a']);
    queue.add(new Channel('b', 'b'));
    expect(take(queue)).toEqual(['b']);
  });

  it.each([0, 1, 2])('lets go of a channel that another one takes, the one at %i', (index) => {
    const queue = queueOf('a', 'b', 'c');
    const other = queueOf('d');
    const channels = queue.take(3);
    for (const channel of channels) queue.add(channel);
    const moved = channels[index] ?? new Channel('none', 'none');
    other.add(moved);
    expect([queue.size, other.size]).toEqual([2, 2]);
    expect(take(queue)).toEqual(['a', 'b', 'c'].filter((key) => key !== moved.key));
    expect(take(other)).toEqual(['d', moved.key]);
  });

  it('has a channel once, in its place', () => {
    const queue = new ChannelQueue();
    const channels = ['a', 'b'].map((key) => new Channel(key, key));
    for (const channel of [...channels, ...channels.slice(0, 1)]) queue.add(channel);
    expect([queue.size, take(queue), queue.size]).toEqual([2, ['a', 'b'], 0]);
  });

  it('goes on with one that is added after its last one was taken by another', () => {
    const queue = queueOf('a');
    const last = new Channel('b', 'b');
    queue.add(last);
    new ChannelQueue().add(last);
    queue.add(new Channel('c', 'c'));
    expect(take(queue)).toEqual(['a', 'c']);
  });

  it('takes in again those that it let go of all at once', () => {
    const queue = new ChannelQueue();
    const channels = ['a', 'b'].map((key) => new Channel(key, key));
    for (const channel of channels) queue.add(channel);
    queue.clear();
    expect([queue.size, take(queue)]).toEqual([0, []]);
    for (const channel of channels.toReversed()) queue.add(channel);
    expect([queue.size, take(queue)]).toEqual([2, ['b', 'a']]);
  });

  it.each([
    [['a'], ['b', 'c'], ['b', 'c', 'a']],
    [['a', 'b'], ['c'], ['a', 'b', 'c']],
    [['a'], ['b'], ['a', 'b']],
    [[], ['a'], ['a']],
  ])('takes over %j and %j, which is empty then', (first, second, all) => {
    const [queue, other] = [queueOf(...first), queueOf(...second)];
    queue.absorb(other);
    expect([other.size, take(other), take(queue)]).toEqual([0, [], all]);
    other.add(new Channel('d', 'd'));
    expect([take(other), take(queue)]).toEqual([['d'], []]);
  });
});
