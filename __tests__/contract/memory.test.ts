import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../../src/clock.ts';
import { closeSpace, openSpace } from '../../src/memory/space.ts';
import type { RawStore } from '../support/contract/context.ts';
import { describeBackend } from '../support/contract/index.ts';

/** Gives what a function returns in a later turn, as a store elsewhere would. */
function later<A extends unknown[], T>(answer: (...args: A) => T): (...args: A) => Promise<T> {
  return async (...args) => {
    await setImmediate();
    return answer(...args);
  };
}

function open(): Promise<RawStore> {
  const url = `memory://${randomUUID()}`;
  const space = openSpace(url, systemClock);
  return Promise.resolve({
    options: { url },
    get: later((key) => space.get(key)?.toString() ?? null),
    set: later((key, text) => {
      space.set(key, Buffer.from(text), null);
    }),
    del: later((key) => {
      space.delete(key);
    }),
    members: later((key) => {
      const { members, ordered } = space.collection(key) ?? { members: [], ordered: true };
      return members.map(({ bytes, score }): [string, number?] =>
        ordered ? [bytes.toString(), score] : [bytes.toString()],
      );
    }),
    ttl: later((key) => space.ttl(key)),
    publish: later((channel, text) => {
      space.publish(channel, Buffer.from(text));
    }),
    listen: later((channel, onMessage) => {
      space.subscribe(channel, (_, payload) => {
        onMessage(payload.toString());
      });
    }),
    close: later(() => {
      closeSpace(url);
    }),
  });
}

describeBackend('the memory driver', open);
