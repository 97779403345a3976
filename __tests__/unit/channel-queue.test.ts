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

  it('leaves out what was deleted, by key whichever channel it was', () => {
    const queue = queueOf('a', 'b');
    queue.delete(new Channel('a', 'a'));
    expect(take(queue)).toEqual(['b']);
  });

  it('has one channel a key: the last', () => {
    const queue = queueOf('a');
    const other = new Channel('a', 'a');
    queue.add(other);
    expect(queue.take(2)).toEqual([other]);
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
