/** Backends whose chords are kept in another way. */
import type { CeleryApp } from '../../src/arguments.ts';
import { BaseBackend } from '../../src/backend.ts';
import type { BackendOptions } from '../../src/index.ts';
import { createMemoryDriver } from '../../src/memory/driver.ts';
import { type ResolvedOptions, resolveOptions } from '../../src/options.ts';
import type { ChordStore, Driver } from '../../src/ports.ts';
import { createRedisDriver } from '../../src/redis/driver.ts';
import type { Warnings } from '../../src/diagnostics.ts';

/** A backend over the driver of its URL, with other chords. */
export class ChordBackend extends BaseBackend {
  constructor(app: CeleryApp, options: BackendOptions, change: (chords: ChordStore) => ChordStore) {
    const resolved = resolveOptions(options, {});
    super(app, resolved, (warnings) => changed(open(resolved, warnings), change));
  }
}

function open(options: ResolvedOptions, warnings: Warnings): Driver {
  const { url = '', clock } = options;
  return url.startsWith('memory:') ? createMemoryDriver(url, clock) : createRedisDriver({ ...options, warnings });
}

function changed(driver: Driver, change: (chords: ChordStore) => ChordStore): Driver {
  const chords = change(driver.chords);
  return new Proxy(driver, {
    get: (target, name) => {
      if (name === 'chords') return chords;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The same chords, but for some methods. */
export function withMethods(chords: ChordStore, methods: Partial<ChordStore>): ChordStore {
  return {
    record: (part) => chords.record(part),
    takeOver: (claim, take) => chords.takeOver(claim, take),
    renew: (claim) => chords.renew(claim),
    members: (keys, ordered) => chords.members(keys, ordered),
    release: (claim, open, ttl) => chords.release(claim, open, ttl),
    finish: (keys) => chords.finish(keys),
    grow: (keys) => chords.grow(keys),
    ...methods,
  };
}
