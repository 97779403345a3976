/**
 * The `superjson` serializer, for TypeScript on both ends: what JSON has no form for (Date, Map, Set, undefined,
 * cycles, classes of the user's own) comes back as it was.
 *
 * Only the values inside a meta (result, args, kwargs) are superjson's, as `{"__superjson__": 1, "json": ..., "meta":
 * ...}`, and only where it has something to say; all else is kombu's JSON, so that Python and Flower can read the meta.
 */
import { DecodeError, EncodeError, ImproperlyConfigured } from '../errors.ts';
import type { Serializer } from '../ports.ts';
import { escapeUnprintable, readable } from './excerpt.ts';
import type { JsonOptions } from './json.ts';
import { createJsonSerializer, DEFAULT_LIMITS } from './json.ts';
import { registerBinary } from './superjson-binary.ts';
import { readWrapped } from './superjson-read.ts';

/** The part of a SuperJSON instance that is used, and what a user may register on it. */
export interface SuperJsonInstance {
  serialize(value: unknown): { json: unknown; meta?: unknown };
  deserialize(payload: { json: unknown; meta?: unknown }, options?: { inPlace?: boolean }): unknown;
  registerClass(
    type: new (...args: never[]) => unknown,
    options?: string | { identifier?: string; allowProps?: string[] },
  ): void;
  registerSymbol(symbol: symbol, identifier?: string): void;
  registerCustom<I, O>(
    transformer: { isApplicable(value: unknown): value is I; serialize(value: I): O; deserialize(value: O): I },
    name: string,
  ): void;
  allowErrorProps(...props: string[]): void;
}

/** What a superjson serializer is made of. */
export interface SuperJsonOptions extends JsonOptions {
  /** Registers classes, symbols and custom types, on an instance of this serializer's own. */
  readonly register?: ((superjson: SuperJsonInstance) => void) | undefined;
}

const MARK = '__superjson__';

/**
 * Makes a serializer. superjson itself is loaded at its first use, since it is an ES module only.
 *
 * @throws ImproperlyConfigured from `load` when superjson cannot be loaded
 */
export function createSuperJsonSerializer(options: SuperJsonOptions = {}): Serializer {
  const json = createJsonSerializer(options);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  let superjson: SuperJsonInstance | undefined;
  const loaded = (): SuperJsonInstance => {
    if (superjson) return superjson;
    throw new ImproperlyConfigured('The superjson serializer is used before its load().');
  };
  return {
    ...json,
    name: 'superjson',
    async load() {
      if (superjson) return;
      const instance = await createInstance();
      options.register?.(instance);
      registerBinary(instance);
      superjson = instance;
    },
    wrap(value) {
      const { json: plain, meta } = attempt(
        () => loaded().serialize(value),
        EncodeError,
        'superjson cannot encode the value',
      );
      return meta === undefined && !isMarked(plain)
        ? plain
        : { [MARK]: 1, json: plain, ...(meta !== undefined && { meta }) };
    },
    unwrap(value) {
      if (!isMarked(value)) return value;
      const instance = loaded();
      const transform = (plain: unknown, type: unknown): unknown =>
        instance.deserialize({ json: plain, meta: { values: [type], v: 1 } }, { inPlace: true });
      return attempt(() => readWrapped(value, transform, limits), DecodeError, 'superjson cannot decode the value');
    },
  };
}

async function createInstance(): Promise<SuperJsonInstance> {
  try {
    const { SuperJSON } = await import('superjson');
    return new SuperJSON() as SuperJsonInstance;
  } catch (error) {
    throw new ImproperlyConfigured(
      "serializer 'superjson': the package superjson, an ES module, could not be loaded. In CommonJS tests of " +
        'jest, set both transformIgnorePatterns and a transform to CommonJS, as docs/serialization.md shows; in its ES ' +
        'module tests run node --experimental-vm-modules; elsewhere use Node 20.19, 22.12 or later.',
      { cause: error },
    );
  }
}

function isMarked(value: unknown): value is { json: unknown; meta?: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, MARK);
}

function attempt<T>(run: () => T, Failure: typeof EncodeError | typeof DecodeError, message: string): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof ImproperlyConfigured || error instanceof Failure
      ? error
      : new Failure(`${message}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** It may quote what was read. */
function reasonOf(error: unknown): string {
  return escapeUnprintable(readable(error instanceof Error ? error.message : error, 200));
}
