/** What a backend is made of, and how it is put together. */
import { ResultCache } from './cache.ts';
import { Codec } from './codec.ts';
import { Consumer } from './consumer/consumer.ts';
import { dateWriter } from './dates.ts';
import { Warnings } from './diagnostics.ts';
import { defaultExceptions } from './exceptions.ts';
import { Groups } from './groups.ts';
import { createKeys, type Keys } from './keys.ts';
import type { ResolvedOptions } from './options.ts';
import { PatientStore } from './patient-store.ts';
import type { Driver } from './ports.ts';
import { Reader } from './reader.ts';
import { resolveSerializer } from './serializers/index.ts';
import { Storer } from './storer.ts';
import { Waiting } from './waiting.ts';
import { Writer } from './writer.ts';

/** The parts that a backend delegates to. */
export interface Parts {
  readonly driver: Driver;
  /** Where reads do not give up. */
  readonly patient: PatientStore | undefined;
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
  const { store } = driver;
  const keys = createKeys(options.globalKeyprefix);
  const codec = new Codec({ serializer, exceptions: options.exceptions ?? defaultExceptions, ...limits });
  const cache = openCache(options);
  const { alwaysRetry, retryPolicy, commandTimeout } = options;
  const patient = alwaysRetry ? new PatientStore(store, alwaysRetry, clock) : undefined;
  const keyStore = patient ?? store;
  const reader = new Reader(keyStore, keys, codec, cache);
  const storer = new Storer({ policy: retryPolicy, alwaysRetry, commandTimeoutMs: commandTimeout * 1000 }, clock);
  const consumer = openConsumer(options, { driver, keys, cache, codec, warnings });
  const writeDate = dateWriter(options.timezone);
  const writer = new Writer({ store, keys, codec, storer, clock, ttl, extended, writeDate });
  // Waits have limits of their own, and come back by themselves.
  const plain = new Reader(store, keys, codec, cache);
  const waiting = new Waiting({ store, cache, codec, reader: plain, consumer, clock, lastLookMs });
  const groups = new Groups({ store, keyStore, keys, codec, storer, ttl });
  return {
    driver,
    patient,
    serializer: serializer.name,
    codec,
    cache,
    reader,
    storer,
    writer,
    consumer,
    waiting,
    groups,
  };
}

function openCache({
  maxCachedResults: maxEntries,
  maxCachedBytes: maxBytes,
  expires,
  clock,
}: ResolvedOptions): ResultCache {
  return new ResultCache({ maxEntries, maxBytes, expires }, clock);
}

function openConsumer(
  { clock, backstop, lastLook }: ResolvedOptions,
  {
    driver,
    keys,
    cache,
    codec,
    warnings,
  }: Pick<Parts, 'driver' | 'cache' | 'codec'> & { keys: Keys; warnings: Warnings },
): Consumer {
  return new Consumer({
    store: driver.store,
    source: driver.source,
    keys,
    cache,
    clock,
    warnings,
    decode: (payload, taskId) => codec.decodeMeta(payload, taskId),
    backstopMs: backstop * 1000,
    lastLookMs: lastLook * 1000,
  });
}
