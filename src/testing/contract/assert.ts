/** What `node:assert` lacks. */
import { deepStrictEqual, ok } from 'node:assert/strict';
import { inspect } from 'node:util';

/** That what is expected is there, at any depth; more fields may be, but no more elements of an array. */
export function matches(actual: unknown, expected: unknown, path = 'value'): void {
  if (!isPlain(expected)) {
    deepStrictEqual(actual, expected, `${path}: expected ${inspect(expected)}; got ${inspect(actual)}`);
    return;
  }
  ok(typeof actual === 'object' && actual !== null, `${path}: expected an object; got ${inspect(actual)}`);
  ok(Array.isArray(actual) === Array.isArray(expected), `${path}: got ${inspect(actual)}`);
  if (Array.isArray(expected)) matches((actual as unknown[]).length, expected.length, `${path}.length`);
  for (const [field, value] of Object.entries(expected)) {
    matches((actual as Readonly<Record<string, unknown>>)[field], value, `${path}.${field}`);
  }
}

/** That a value is of a class. */
export function instance(actual: unknown, type: abstract new (...args: never[]) => unknown): void {
  ok(actual instanceof type, `expected a ${type.name}; got ${inspect(actual)}`);
}

/** That a text has a part, or an array an element. */
export function contains(actual: unknown, part: string): void {
  const found = (typeof actual === 'string' || Array.isArray(actual)) && actual.includes(part);
  ok(found, `expected ${inspect(part)} in ${inspect(actual)}`);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);
}
