/** What a backend is made of, and how it is put together. */
import type { CeleryApp } from './arguments.ts';
import { ResultCache } from './cache.ts';
import { ChordBodies } from './chords/body.ts';
import { HeaderResults } from './chords/results.ts';
import { Chords } from './chords/chords.ts';
import { Codec } from './codec.ts';
import { Consumer } from './consumer/consumer.ts';
import { dateWriter } from './dates.ts';
import { type BackendStats, Warnings } from './diagnostics.ts';
import { Errbacks } from './errbacks.ts';
import { defaultExceptions } from './exceptions.ts';
import { Groups } from './groups.ts';
import { createKeys, type Keys } from './keys.ts';
import type { ResolvedOptions } from './options.ts';
import { Loader } from './loader.ts';
import { PatientStore } from './patient-store.ts';
import type { Driver } from './ports.ts';
import { Reader } from './reader.ts';
import { resolveSerializer } from './serializers/index.ts';
import { Storer } from './storer.ts';
import { Waiting } from './waiting.ts';
import { Worker } from './worker.ts';
import { Writer } from './writer.ts';

/** The parts that a backend delegates to. */
export interface Parts {
  readonly driver: Driver;
  /** Where reads do not give up. */
  readonly patient: PatientStore | undefined;
  /** The serializer's name. */
  readonly serializer: string;
  readonly codec: Codec;
  readonly loader: Loader;
  readonly cache: ResultCache;
  readonly reader: Reader;
  readonly storer: Storer;
  readonly writer: Writer;
  readonly consumer: Consumer;
  readonly waiting: Waiting;
  readonly groups: Groups;
  readonly chords: Chords;
  readonly worker: Worker;
}

/** @param open - makes the driver */
export function assemble(app: CeleryApp, options: ResolvedOptions, open: (warnings: Warnings) => Driver): Parts {
  const { clock, limits, expires: ttl, extended } = options;
  const serializer = resolveSerializer(options.serializer, options.acceptContent, limits);
  const lastLookMs = options.lastLook * 1000;
  const warnings = new Warnings();
  const driver = open(warnings);
  const { store } = driver;
  const keys = createKeys(options.globalKeyprefix);
  const codec = new Codec({ serializer, exceptions: options.exceptions ?? defaultExceptions, ...limits });
  const cache = openCache(options);
  const { alwaysRetry } = options;
  const patient = alwaysRetry ? new PatientStore(store, alwaysRetry, clock) : undefined;
  const keyStore = patient ?? store;
  const reader = new Reader(keyStore, keys, codec, cache);
  const storer = openStorer(options, warnings);
  const loader = new Loader({
    codec,
    serializer: serializer.name,
    storer,
    clock,
    readMs: alwaysRetry ? Infinity : options.commandTimeout * 1000,
    storeMs: storer.patienceMs,
  });
  const consumer = openConsumer(options, { driver, keys, cache, codec, warnings });
  const writeDate = dateWriter(options.timezone);
  const writer = new Writer({ store, keys, codec, storer, clock, ttl, extended, writeDate });
  // Waits have limits of their own, and come back by themselves.
  const plain = new Reader(store, keys, codec, cache);
  const waiting = new Waiting({ store, cache, codec, loader, reader: plain, consumer, clock, lastLookMs });
  const groups = new Groups({ store, keyStore, keys, codec, storer, ttl });
  const made = { driver, codec, loader, reader, storer, writer, waiting, groups };
  const working = assembleWorker({ ...made, app, options, warnings, keys });
  return { ...made, ...working, patient, serializer: serializer.name, cache, consumer };
}

/** The figures of a backend. */
export function statsOf({ consumer, waiting, storer, cache, driver }: Parts): BackendStats {
  const { healed, rescued, foundAtDeadline, timeouts } = consumer.tally;
  return {
    waits: waiting.size,
    channels: consumer.channels,
    held: consumer.holds.size,
    stores: storer.pending,
    storeBytes: storer.pendingBytes,
    cached: cache.size,
    cachedBytes: cache.bytes,
    cacheHits: cache.hits,
    storeRetries: storer.retries,
    reconnects: driver.reconnects(),
    healed,
    rescued,
    foundAtDeadline,
    timeouts,
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

function openStorer(options: ResolvedOptions, warnings: Warnings): Storer {
  const { retryPolicy: policy, alwaysRetry, commandTimeout, maxPendingStores: maxPending, maxPendingBytes } = options;
  const settings = { policy, alwaysRetry, commandTimeoutMs: commandTimeout * 1000, maxPending, maxPendingBytes };
  return new Storer(settings, options.clock, warnings);
}

function openConsumer(
  { clock, backstop, lastLook, maxCachedBytes }: ResolvedOptions,
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
    holdForMs: 60_000,
    maxHeld: 10_000,
    maxHeldBytes: maxCachedBytes,
  });
}

/** What the worker's side is made of. */
interface WorkerBase extends Pick<Parts, 'driver' | 'codec' | 'reader' | 'storer' | 'writer' | 'waiting' | 'groups'> {
  readonly app: CeleryApp;
  readonly options: ResolvedOptions;
  readonly warnings: Warnings;
  readonly keys: Keys;
}

function assembleWorker(base: WorkerBase): Pick<Parts, 'chords' | 'worker'> {
  const { options, driver, app, warnings } = base;
  const { clock, expires: ttl, chordOrdered: ordered } = options;
  const errbacks = new Errbacks(app, warnings);
  const shared = { ...base, store: driver.store, chords: driver.chords, clock, ttl };
  const chords = new Chords({
    ...shared,
    bodies: new ChordBodies({ ...base, errbacks }),
    results: new HeaderResults({ ...shared, joinTimeoutMs: options.chordJoinTimeout * 1000 }),
    ordered,
    leaseMs: Math.ceil(options.chordLease * 1000),
  });
  const { ignoreResult, storeErrorsEvenIfIgnored: storeErrors } = options;
  const worker = new Worker({ writer: base.writer, chords, errbacks, clock, ignoreResult, storeErrors });
  return { chords, worker };
}
