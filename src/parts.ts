/** What a backend is made of, and how it is put together. */
import { ResultCache } from './cache.ts';
import { Codec } from './codec.ts';
import { Consumer } from './consumer/consumer.ts';
import { Warnings } from './diagnostics.ts';
import { defaultExceptions } from './exceptions.ts';
import { Groups } from './groups.ts';
import { createKeys } from './keys.ts';
import type { ResolvedOptions } from './options.ts';
import type { Driver } from './ports.ts';
import { Reader } from './reader.ts';
import { resolveSerializer } from './serializers/index.ts';
import { Storer } from './storer.ts';
import { Waiting } from './waiting.ts';
import { Writer } from './writer.ts';

/** The parts that a backend delegates to. */
export interface Parts {
  readonly driver: Driver;
  /** The serializer's name. */
  readonly serializer: string;
  readonly codec: Codec;
  readonly cache: ResultCache;
  readonly reader: Reader;
  readonly storer: Storer;
  readonly writer: Writer;
  readonly consumer: Consumer;
  readonly waiting: Waiting;
  readonly groups: Groups;
}

/** @param open - makes the driver */
export function assemble(options: ResolvedOptions, open: (warnings: Warnings) => Driver): Parts {
  const { clock, limits, expires: ttl, extended } = options;
  const serializer = resolveSerializer(options.serializer, options.acceptContent, limits);
  const lastLookMs = options.lastLook * 1000;
  const warnings = new Warnings();
  const driver = open(warnings);
  const { store, source } = driver;
  const keys = createKeys(options.globalKeyprefix);
  const codec = new Codec({ serializer, exceptions: options.exceptions ?? defaultExceptions, ...limits });
  const { maxCachedResults: maxEntries, maxCachedBytes: maxBytes } = options;
  const cache = new ResultCache({ maxEntries, maxBytes, expires: ttl }, clock);
  const reader = new Reader(store, keys, codec, cache);
  const storer = new Storer(options.retryPolicy, options.commandTimeout * 1000, clock);
  const consumer = new Consumer({
    store,
    source,
    keys,
    cache,
    clock,
    warnings,
    decode: (payload, taskId) => codec.decodeMeta(payload, taskId),
    backstopMs: options.backstop * 1000,
    lastLookMs,
  });
  const writer = new Writer({ store, keys, codec, storer, clock, ttl, extended });
  const waiting = new Waiting({ store, cache, codec, reader, consumer, clock, lastLookMs });
  const groups = new Groups({ store, keys, codec, storer, ttl });
  return { driver, serializer: serializer.name, codec, cache, reader, storer, writer, consumer, waiting, groups };
}
