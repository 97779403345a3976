/** What the diagnostics channels cost while nobody listens. */
import { describe, expect, it, jest } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { readdirSync, readFileSync } from 'node:fs';
import { Results } from '../support/results.ts';
import { CHANNELS, listening } from '../support/events.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

/** What was done for whoever listens, or might. */
interface Cost {
  /** Channels that were looked at for subscribers, by their last name. */
  readonly looks: string[];
  /** Channels that were given an event. */
  readonly events: string[];
  /** Reads of the clock by the modules that tell of waits and stores. */
  clockReads: number;
  /** All promises that were made. */
  promises: number;
}

type Work = (results: Results) => Promise<unknown>;

const TELLERS = /\/(diagnostics|store-events|wait-report|tally)\.ts/;

/** Counts what one piece of work costs; `before` is not counted. */
async function costOf(before: Work, work: Work): Promise<Cost> {
  const clock = new VirtualClock();
  await using results = new Results({ clock, maxCachedResults: 10 });
  await before(results);
  await settle();
  const cost: Cost = { looks: [], events: [], clockReads: 0, promises: 0 };
  const undo = CHANNELS.map((name) => spyOnChannel(name, cost));
  const now = jest.spyOn(clock, 'now').mockImplementation(() => {
    if (TELLERS.test(callerInSrc())) cost.clockReads += 1;
    return 0;
  });
  const hook = createHook({
    init: (_, type) => {
      if (type === 'PROMISE') cost.promises += 1;
    },
  }).enable();
  try {
    await work(results);
  } finally {
    hook.disable();
    now.mockRestore();
    for (const each of undo) each();
  }
  return cost;
}

/** The line of the stack that names the innermost module of src. */
function callerInSrc(): string {
  const lines = new Error('who').stack?.split('\n') ?? [];
  return lines.find((line) => line.includes('/src/')) ?? '';
}

/** Notes each look at a channel and each event. Returns what takes the spy away. */
function spyOnChannel(name: string, { looks, events }: Cost): () => void {
  const watched = channel(name);
  const short = name.slice(name.indexOf(':') + 1);
  const prototype = Object.getPrototypeOf(watched) as typeof watched;
  const publish = watched.publish.bind(watched);
  Object.defineProperties(watched, {
    hasSubscribers: {
      configurable: true,
      get: () => {
        looks.push(short);
        return Reflect.get(prototype, 'hasSubscribers', watched);
      },
    },
    publish: {
      configurable: true,
      value: (event: unknown) => {
        events.push(short);
        publish(event);
      },
    },
  });
  return () => {
    Reflect.deleteProperty(watched, 'hasSubscribers');
    Reflect.deleteProperty(watched, 'publish');
  };
}

const nothing: Work = () => Promise.resolve();
/** A result that is in the cache. */
const known: Work = async ({ backend }) => {
  await backend.storeResult('t', 1, 'SUCCESS');
  await backend.getTaskMeta('t');
  await backend.getTaskMeta('t');
};

interface Call {
  readonly what: string;
  readonly before: Work;
  readonly work: Work;
  /** The looks, without a subscriber. */
  readonly looks: readonly string[];
}

const CALLS: readonly Call[] = [
  {
    what: 'a store',
    before: nothing,
    work: ({ backend }) => backend.storeResult('t', 1, 'SUCCESS'),
    looks: ['store'],
  },
  {
    what: 'a wait for a known result',
    before: known,
    work: ({ backend }) => backend.waitFor('t'),
    looks: ['wait', 'timeout'],
  },
  {
    what: 'a wait that subscribes',
    before: nothing,
    work: async (results) => {
      const wait = results.backend.waitFor('t');
      await settle();
      results.put('t', 'SUCCESS', 1);
      await wait;
    },
    looks: ['wait', 'timeout', 'healed', 'rescued'],
  },
  {
    what: 'a wait for two of which one is known',
    before: known,
    work: async (results) => {
      const wait = results.backend.waitForAll(['t', 'u']);
      await settle();
      results.put('u', 'SUCCESS', 1);
      await wait;
    },
    looks: ['wait', 'timeout', 'healed', 'rescued'],
  },
];

describe('without a subscriber', () => {
  it.each(CALLS)(
    '$what looks for one, and makes no event, reads no clock and makes no promise for it',
    async (call) => {
      const { before, work, looks } = call;
      const unheard = await costOf(before, work);
      expect(unheard).toMatchObject({ looks, events: [], clockReads: 0 });
      const heard = listening(CHANNELS, () => undefined);
      const costly = await costOf(before, work);
      heard[Symbol.dispose]();
      expect(costly.events.length).toBeGreaterThan(0);
      expect(costly.clockReads).toBeGreaterThan(1);
      expect(costly.promises).toBeGreaterThanOrEqual(unheard.promises);
      // As it was before anyone ever listened.
      expect(await costOf(before, work)).toEqual(unheard);
    },
  );
});

it('no event is made before a look, but those that are at hand', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const made = files.flatMap((file) => {
    const text = readFileSync(`src/${file}`, 'utf8');
    return [...text.matchAll(/(?<!\.)\bpublish\(\s*'celery-redis-backend:([\w-]+)'/g)].map(([, name]) => name);
  });
  expect(made.toSorted()).toEqual(['swallowed', 'warning']);
});
