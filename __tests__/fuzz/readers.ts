/** Every reader of what comes from outside, with the inputs it is given. */
import fc from 'fast-check';
import { Codec } from '../../src/codec.ts';
import { configFromEnv, ENV_VARIABLES } from '../../src/env.ts';
import { BackendStoreError, EncodeError } from '../../src/errors.ts';
import { decodeException, encodeException, ExceptionRegistry } from '../../src/exceptions.ts';
import { expansionOf } from '../../src/serializers/expansion.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { createMsgpackSerializer } from '../../src/serializers/msgpack.ts';
import { createSuperJsonSerializer } from '../../src/serializers/superjson.ts';
import { createYamlSerializer } from '../../src/serializers/yaml.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { checkId } from '../../src/keys.ts';
import { resolveOptions } from '../../src/options.ts';
import { formatUrl, parseRedisUrl } from '../../src/redis/options.ts';
import { maskHosts, parseTopology } from '../../src/redis/topology.ts';
import { errorRepr, exceptionRepr } from '../../src/python-repr.ts';
import type { BackendOptions, ResultSource, Serializer } from '../../src/index.ts';
import { resultFromTuple } from '../../src/result.ts';
import { exceptionInfo, meta, options, savedGroup, tuple, urls } from './shapes.ts';
import { type Format, metas, payloads, written } from './payloads.ts';
import { Finding } from './judge.ts';
import { plain, type Wild, wild, word } from './wild.ts';

/** Takes the bytes that a reader wrote. */
export type Spend = (bytes: number) => void;

/** Reads one kind of input. */
export interface Reader {
  readonly name: string;
  /** Its share of all inputs. */
  readonly share: number;
  readonly inputs: fc.Arbitrary<unknown>;
  /** Gives a value, or fails. What it writes besides, it tells. */
  read(input: unknown, spend: Spend): unknown;
}

/** A reader whose inputs are of one type. */
export function reader<T>(
  name: string,
  share: number,
  inputs: fc.Arbitrary<T>,
  read: (input: T, spend: Spend) => unknown,
): Reader {
  // Its inputs are the only ones it is given.
  return { name, share, inputs, read: (input, spend) => read(input as T, spend) };
}

/** A class of the user's own, in envelopes and in superjson. */
export class Money {
  readonly cents: number;

  constructor(cents: unknown) {
    if (typeof cents !== 'number') throw new TypeError(`no cents: ${String(cents)}`);
    this.cents = cents;
  }
}

/** An error of the user's own, whose decoder is not careful. */
export class Careless extends Error {
  static readonly decode = (args: readonly unknown[]): Error => {
    const [first] = args as readonly { readonly deep: { readonly field: string } }[];
    return new Careless(first?.deep.field.trim());
  };
}

/** The serializers, with types of the user's own. */
export function createSerializers(): Readonly<Record<Format, Serializer>> {
  const types = new TypeRegistry();
  types.register(Money, 'fuzz', (money) => money.cents, (cents) => new Money(cents)); // prettier-ignore
  return {
    json: createJsonSerializer({ types }),
    yaml: createYamlSerializer({ types }),
    msgpack: createMsgpackSerializer({ types }),
    superjson: createSuperJsonSerializer({
      types,
      register: (superjson) => {
        superjson.registerClass(Money, 'Money');
      },
    }),
  };
}

export function createExceptions(): ExceptionRegistry {
  const exceptions = new ExceptionRegistry();
  exceptions.register(Careless, { excType: 'Careless', excModule: 'fuzz', decode: Careless.decode });
  return exceptions;
}

/** The longest payload that is written. */
const MAX_PAYLOAD = 2 ** 20;

/** The largest value that is written again, in elements and characters. */
const WRITTEN = 50_000;

/** The task that inputs are about. */
export const TASK = 'task-a';

/** What was read is written, or refused; what was written is read, and written the same. */
function rewritten(serializer: Serializer, value: unknown, spend: Spend): void {
  // It takes its time to write what a few aliases make of it.
  if (expansionOf(value, { maxDepth: Infinity, cycles: true }) > WRITTEN) return;
  let bytes: Buffer;
  try {
    bytes = Buffer.from(serializer.encode(serializer.wrap ? serializer.wrap(value) : value));
  } catch (error) {
    if (error instanceof EncodeError) return;
    throw error;
  }
  spend(3 * bytes.length);
  const read = (from: Buffer): unknown => {
    const decoded = serializer.decode(from);
    return serializer.unwrap ? serializer.unwrap(decoded) : decoded;
  };
  let twice: Buffer;
  try {
    const again = read(bytes);
    twice = Buffer.from(serializer.encode(serializer.wrap ? serializer.wrap(again) : again));
  } catch (error) {
    throw new Finding(`what was written is not read: ${String(error)}`, { cause: error });
  }
  if (!twice.equals(bytes))
    throw new Finding(`unstable: ${bytes.toString().slice(0, 300)} is then ${twice.toString().slice(0, 300)}`);
}

function ofSerializer(format: Format, serializer: Serializer): readonly Reader[] {
  const codec = new Codec({ serializer, exceptions: createExceptions(), maxPayload: MAX_PAYLOAD });
  const decode = reader(format, 10, payloads(format), (payload, spend) => {
    const decoded = serializer.decode(payload);
    const value = serializer.unwrap ? serializer.unwrap(decoded) : decoded;
    rewritten(serializer, value, spend);
    return value;
  });
  const asMeta = reader(`meta:${format}`, 8, metas(format, TASK, meta(TASK)), (payload, spend) => {
    const found = codec.decodeMeta(payload, TASK);
    const presented = codec.present(found, TASK);
    // What a failure is stored as again.
    const { result } = codec.encodeError(presented.result, presented.status);
    spend(
      attemptEncode(() =>
        codec.encodeMeta({ ...found, result: presented.status === 'SUCCESS' ? found.result : result }),
      ),
    );
    return presented;
  });
  const part = fc.oneof(
    payloads(format),
    written(format, fc.tuple(wild, fc.oneof(word, wild), word, fc.oneof(wild, exceptionInfo))),
  );
  const parts = reader(`part:${format}`, 2, part, (payload) => {
    const read = codec.decodePart(payload);
    attemptEncode(() => codec.encodePart(read.taskId, 'SUCCESS', read.result).member);
    return [read, exceptionRepr(read.result)];
  });
  const group = fc.oneof(payloads(format), written(format, savedGroup));
  const groups = reader(`group:${format}`, 2, group, (payload) => {
    const read = codec.decodeGroup(payload);
    const again = codec.decodeGroup(Buffer.from(codec.encodeGroup(read, 'g')));
    if (JSON.stringify(again) !== JSON.stringify(read)) throw new Finding('a group that is read again is another one');
    return read;
  });
  return [decode, asMeta, parts, groups];
}

/** @returns the length of what was written; of what was refused, the most that can have been */
function attemptEncode(encode: () => string | Uint8Array): number {
  try {
    return encode().length;
  } catch (error) {
    if (error instanceof EncodeError) return 0;
    if (error instanceof BackendStoreError && error.code === 'CELERY_VALUE_TOO_LARGE') return MAX_PAYLOAD * 16;
    throw error;
  }
}

/** Asks nothing. */
const source = {} as ResultSource;

function exceptionReader(): Reader {
  const registry = createExceptions();
  const context = fc.record({ taskId: fc.constant(TASK), state: word, traceback: wild.map(plain) });
  return reader('exception', 6, fc.tuple(fc.oneof(exceptionInfo, wild), context), ([info, about]) => {
    const error = decodeException(plain(info), about, registry);
    const again = encodeException(error, registry);
    encodeException(plain(info), registry);
    return [error, again.info, errorRepr(error), exceptionRepr(plain(info))];
  });
}

function urlReader(): Reader {
  return reader('url', 6, urls, (url) => {
    const masked = maskHosts(url);
    const topology = parseTopology(url, {}, { masterName: 'm' });
    if (topology.kind === 'server') {
      const again = parseRedisUrl(formatUrl(topology.target));
      const { host, port, path, db, username, password } = topology.target;
      const same = again.host === host && again.port === port && again.path === path && again.db === db;
      if (!same || (again.username ?? '') !== (username ?? '') || again.password !== password)
        throw new Finding(`another URL: ${formatUrl(topology.target)}`);
    }
    return [masked, topology];
  });
}

function settingReaders(): readonly Reader[] {
  const values = fc.oneof(
    word,
    urls,
    fc.constantFrom(
      '1',
      'none',
      '{}',
      '[]',
      '{"__proto__": {"a": 1}}',
      '{"global_keyprefix": 1}',
      'yes',
      '-1',
      '1e999',
    ),
  );
  const env = fc.dictionary(fc.constantFrom(...ENV_VARIABLES.keys(), '__proto__', 'PATH'), values, { maxKeys: 4 });
  // Its methods are no data.
  const strip = (resolved: ReturnType<typeof resolveOptions>): object => ({ ...resolved, clock: undefined });
  return [
    reader('env', 2, env, (given) => configFromEnv(given)),
    reader('options', 3, options(false), (given) => strip(resolveOptions(plain(given) as BackendOptions, {}))),
    reader('conf', 3, options(true), (given) => strip(resolveOptions({}, plain(given)))),
  ];
}

/** The readers that need nothing but the input. Serializers are loaded here. */
export async function openReaders(): Promise<readonly Reader[]> {
  const serializers = Object.entries(createSerializers()) as [Format, Serializer][];
  for (const [, serializer] of serializers) await serializer.load?.();
  const ids = fc.oneof(word, fc.anything({ maxDepth: 1, maxKeys: 2 }));
  return [
    ...serializers.flatMap(([format, serializer]) => ofSerializer(format, serializer)),
    exceptionReader(),
    reader('tuple', 4, fc.oneof(tuple, wild), (given: Wild) => {
      const found = resultFromTuple(plain(given), source).asTuple();
      if (JSON.stringify(resultFromTuple(found, source)) !== JSON.stringify(found)) throw new Finding('another tuple');
      return found;
    }),
    reader('id', 1, ids, (id) => {
      checkId(id);
    }),
    urlReader(),
    ...settingReaders(),
  ];
}
