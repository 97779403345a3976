/**
 * Serializers by name, and which of them may be used.
 *
 * @see kombu.serialization.SerializerRegistry
 */
import { ContentDisallowed, ImproperlyConfigured, SecurityError } from '../errors.ts';
import type { Serializer } from '../ports.ts';
import { describe } from './excerpt.ts';
import type { JsonLimits } from './json.ts';
import { createJsonSerializer } from './json.ts';
import { createMsgpackSerializer } from './msgpack.ts';
import { createSuperJsonSerializer } from './superjson.ts';
import { createYamlSerializer } from './yaml.ts';

/** Makes the serializer of one backend. */
export type SerializerFactory = (limits: Partial<JsonLimits>) => Serializer;

const factories = new Map<string, SerializerFactory>([
  ['json', (limits) => createJsonSerializer({ limits })],
  ['superjson', (limits) => createSuperJsonSerializer({ limits })],
  ['yaml', (limits) => createYamlSerializer({ limits })],
  ['msgpack', (limits) => createMsgpackSerializer({ limits })],
]);

const PICKLE: ReadonlySet<string> = new Set(['pickle', 'application/x-python-serialize']);

/**
 * Makes a serializer known by its name. A later one of the same name takes its place.
 *
 * @throws SecurityError for pickle
 * @see kombu.serialization.register
 */
export function registerSerializer(name: string, factory: SerializerFactory): void {
  refusePickle(name);
  factories.set(name, factory);
}

/**
 * The serializer of a backend.
 *
 * @param serializer - a registered name, a content type of one, or a serializer
 * @param acceptContent - names and content types that may be used; `undefined` for the serializer's own
 * @throws ImproperlyConfigured for an unknown name
 * @throws SecurityError for pickle
 * @throws ContentDisallowed when the serializer is not among `acceptContent`
 */
export function resolveSerializer(
  serializer: string | Serializer,
  acceptContent?: readonly string[],
  limits: Partial<JsonLimits> = {},
): Serializer {
  const resolved = typeof serializer === 'string' ? byName(serializer, limits) : serializer;
  refusePickle(resolved.name);
  refusePickle(resolved.contentType);
  if (acceptContent && !accepts(acceptContent, resolved)) {
    const list = acceptContent.map(describe).join(', ');
    throw new ContentDisallowed(
      `serializer ${describe(resolved.name)} (${resolved.contentType}): not among the accepted contents: ${list || 'none'}.`,
    );
  }
  return resolved;
}

function byName(name: string, limits: Partial<JsonLimits>): Serializer {
  refusePickle(name);
  const factory = factories.get(name) ?? byContentType(name);
  if (factory) return factory(limits);
  const known = [...factories.keys()].map((key) => `'${key}'`).join(', ');
  throw new ImproperlyConfigured(`serializer: expected one of ${known}, or a Serializer; got ${describe(name)}.`);
}

/** The first serializer of a content type: `application/json` is json, not superjson. */
function byContentType(contentType: string): SerializerFactory | undefined {
  return [...factories.values()].find((factory) => factory({}).contentType === contentType);
}

/** A name stands for its content type, as in Celery: `'json'` accepts all that is application/json. */
function accepts(acceptContent: readonly string[], { name, contentType }: Serializer): boolean {
  return acceptContent.some(
    (accepted) =>
      accepted === name || accepted === contentType || factories.get(accepted)?.({}).contentType === contentType,
  );
}

function refusePickle(name: string): void {
  if (!PICKLE.has(name)) return;
  throw new SecurityError(
    "serializer 'pickle': it runs code from the wire and is never used. Set result_serializer = 'json' and " +
      "result_accept_content = ['json'] on the Python side.",
  );
}
