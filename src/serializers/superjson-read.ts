/**
 * What superjson wrote, read step by step. superjson itself turns single values into what they were; where in the value
 * they are is followed here, since superjson takes each path and each length at its word: a path into an array makes one
 * of four billion holes, a number where an array should be makes a typed array of that size, and a set costs a walk for
 * each path into it.
 *
 * @see https://github.com/flightcontrolhq/superjson
 */
import { DecodeError } from '../errors.ts';
import { checkExpansion, expansionOf } from './expansion.ts';
import type { ReadLimits } from './json-scan.ts';
import { parsePath, Places } from './superjson-places.ts';

/** What is kept in the place of a value that superjson wrote. */
export interface Wrapped {
  readonly json: unknown;
  readonly meta?: unknown;
}

/** Makes one value what it was, from its JSON. */
export type Transform = (json: unknown, type: unknown) => unknown;

type Bag = Readonly<Record<string, unknown>>;

/**
 * Reads a value. What was parsed is used up.
 *
 * @throws DecodeError when superjson would not have written it, or it goes beyond a bound; what `transform` throws
 */
export function readWrapped({ json, meta }: Wrapped, transform: Transform, limits: ReadLimits): unknown {
  if (meta === undefined || meta === null) return json;
  const { values, referentialEqualities: equalities, v: version } = bagOf(meta);
  const isLegacy = !(Number(version ?? 0) >= 1);
  const root = { value: json };
  if (values !== undefined) {
    const reader = new Annotations(isLegacy, (value, type) => transform(value, checkType(type, value, limits)));
    reader.apply(values, root, 'value', 0);
  }
  if (equalities === undefined) return root.value;
  const size = expansionOf(root.value, { maxDepth: limits.maxDepth });
  applyEqualities(root, equalities, isLegacy);
  checkExpansion(expansionOf(root.value, { maxDepth: limits.maxDepth, cycles: true }), size);
  return root.value;
}

/** Levels of annotations within annotations; each is one of the value at least. */
const MAX_LEVELS = 1000;

/** The annotations of values: `[type]`, `[type, { path: annotation }]`, or `{ path: annotation }`. */
class Annotations {
  readonly #isLegacy: boolean;
  readonly #transform: Transform;

  constructor(isLegacy: boolean, transform: Transform) {
    this.#isLegacy = isLegacy;
    this.#transform = transform;
  }

  /** What is inside comes first. */
  apply(tree: unknown, owner: object, key: string, level: number): void {
    if (level > MAX_LEVELS) throw malformed('annotations within annotations');
    const container = owner as Record<string, unknown>;
    const isLeaf = Array.isArray(tree);
    const inner: unknown = isLeaf ? tree[1] : tree;
    if (inner !== undefined && inner !== null) {
      for (const [path, subtree] of Object.entries(bagOf(inner))) {
        const place = this.#find(container[key], parsePath(path, this.#isLegacy));
        this.apply(subtree, place.owner, place.key, level + 1);
      }
    }
    if (isLeaf) container[key] = this.#transform(container[key], tree[0]);
  }

  /** A place in what is still JSON. */
  #find(value: unknown, path: readonly string[]): { readonly owner: object; readonly key: string } {
    let owner = value;
    let key: string | undefined;
    for (const next of path) {
      if (key !== undefined) owner = (owner as Bag)[key];
      if (
        !isJson(owner) ||
        !Object.hasOwn(owner, next) ||
        next === '__proto__' ||
        (Array.isArray(owner) && next === 'length')
      ) {
        throw malformed('a path that leads nowhere');
      }
      key = next;
    }
    // A path has one step at least, which was taken.
    return { owner: owner as object, key: key ?? '' };
  }
}

/** Values that are one and the same: `{ path: [paths] }`, and those that are the whole first: `[[paths], { ... }]`. */
function applyEqualities(root: { value: unknown }, equalities: unknown, isLegacy: boolean): void {
  const places = new Places(root);
  const link = (value: unknown, paths: unknown): void => {
    if (!Array.isArray(paths)) throw malformed('paths that are no list');
    for (const path of paths) {
      if (typeof path !== 'string') throw malformed('a path that is no text');
      places.set(parsePath(path, isLegacy), value);
    }
  };
  const [whole, others] = Array.isArray(equalities) ? (equalities as unknown[]) : [undefined, equalities];
  if (whole !== undefined) link(root.value, whole);
  for (const [path, paths] of Object.entries(others === undefined ? {} : bagOf(others))) {
    link(places.get(parsePath(path, isLegacy)), paths);
  }
  places.finish();
}

const SIMPLE: Readonly<Record<string, (value: unknown) => boolean>> = {
  undefined: () => true,
  bigint: (value) => isText(value) && /^-?\d+$/.test(value),
  Date: isText,
  Error: isErrorLike,
  regexp: isText,
  set: Array.isArray,
  map: (value) => Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2),
  number: isText,
  URL: isText,
};
const NAMED: Readonly<Record<string, (value: unknown, name: string) => boolean>> = {
  'typed-array': (value, name) => Array.isArray(value) && /^(?:Uint8Clamped|(?:Ui|I)nt(?:8|16|32)|Float(?:32|64))Array$/.test(name),
  class: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  symbol: () => true,
  custom: () => true,
}; // prettier-ignore

/** Whether superjson may turn a value into this: it checks neither. */
function checkType(type: unknown, value: unknown, { maxDigits }: ReadLimits): unknown {
  if (type === 'bigint' && isText(value) && value.replace(/^-/, '').length > maxDigits) {
    throw new DecodeError(`A number has more than ${maxDigits} digits.`);
  }
  if (typeof type === 'string' && Object.hasOwn(SIMPLE, type) && SIMPLE[type]?.(value)) return type;
  const [kind, name] = Array.isArray(type) ? (type as unknown[]) : [];
  const isNamed = isText(kind) && isText(name) && Object.hasOwn(NAMED, kind) && NAMED[kind]?.(value, name);
  if (isNamed) return type;
  throw malformed('an annotation that does not go with its value');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Whoever shows an error takes these for texts. */
function isErrorLike(value: unknown): boolean {
  if (!isJson(value) || Array.isArray(value)) return false;
  const { name, message, stack } = value as Bag;
  return [name, message, stack].every((part) => part === undefined || part === null || isText(part));
}

function isJson(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function bagOf(value: unknown): Bag {
  if (isJson(value) && !Array.isArray(value)) return value as Bag;
  throw malformed('annotations of another form');
}

function malformed(what: string): DecodeError {
  return new DecodeError(`superjson cannot decode the value: it has ${what}.`);
}
