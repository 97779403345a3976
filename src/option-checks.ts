/** The checks of options: each returns the value as it is in force, or says what was expected and what came. */
import { dateWriter } from './dates.ts';
import { excerpt } from './serializers/excerpt.ts';
import { ImproperlyConfigured } from './errors.ts';
import type { Serializer } from './ports.ts';
import type { AlwaysRetry, RetryPolicy } from './retry.ts';
import { DEFAULT_LIMITS, type JsonLimits } from './serializers/json.ts';

/** Celery's policy for stores. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = Object.freeze({
  maxRetries: 20,
  intervalStart: 0,
  intervalStep: 1,
  intervalMax: 1,
});

/** Celery's way of trying always. */
export const DEFAULT_ALWAYS_RETRY: AlwaysRetry = Object.freeze({ baseSleep: 0.01, maxSleep: 10, maxRetries: Infinity });

/** The entries that are not undefined. */
export function defined<T extends object>(bag: T): Partial<T> {
  return Object.fromEntries(Object.entries(bag).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** How a wrong value is shown. */
export function show(value: unknown): string {
  // A URL where none belongs may have a password in it.
  if (typeof value === 'string') return /:\/\/|@/.test(value) ? 'a text with an address in it' : excerpt(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value).slice(0, 40);
}

/** Refuses what is no bag of options, and names that are none of them. @throws ImproperlyConfigured */
export function checkNames(what: string, bag: unknown, names: readonly string[]): void {
  const expected = what === 'options' ? 'an object, such as { url }' : 'an object';
  check(what, bag, expected, typeof bag === 'object' && bag !== null && !Array.isArray(bag));
  const unknown = Object.keys(bag as object).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new ImproperlyConfigured(`${what}: ${show(unknown)} is none of them; expected some of ${names.join(', ')}.`);
}

/** Returns a value that is `ok`. @throws ImproperlyConfigured */
export function check<T>(name: string, value: T, expected: string, ok: boolean): T {
  if (!ok) throw new ImproperlyConfigured(`${name}: expected ${expected}; got ${show(value)}.`);
  return value;
}

/** A boolean. @throws ImproperlyConfigured */
export function checkBoolean(name: string, value: unknown): boolean {
  return check(name, value as boolean, 'a boolean', typeof value === 'boolean');
}

/** A whole number. @throws ImproperlyConfigured */
export function checkInteger(name: string, value: unknown, least: number): number {
  const ok = Number.isSafeInteger(value) && (value as number) >= least;
  return check(name, value as number, `a whole number of at least ${least}`, ok);
}

/** Seconds. @throws ImproperlyConfigured */
export function checkSeconds(name: string, value: unknown, least: 'positive' | 'zero'): number {
  const ok = typeof value === 'number' && Number.isFinite(value) && (least === 'zero' ? value >= 0 : value > 0);
  return check(name, value as number, least === 'zero' ? 'seconds, 0 or more' : 'seconds, more than 0', ok);
}

/** Whole seconds that a result lives, `null` for ever. @throws ImproperlyConfigured */
export function checkExpires(value: unknown): number | null {
  if (value === null) return null;
  const seconds = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  const ok = typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0;
  check('expires', value, 'seconds, 0 or more, or null', ok && seconds <= Number.MAX_SAFE_INTEGER / 1000);
  return Math.trunc(seconds as number) || null;
}

/** `globalKeyprefix`. @throws ImproperlyConfigured */
export function checkPrefix(value: unknown): string {
  return check(
    'globalKeyprefix',
    (value ?? '') as string,
    'a string or null',
    value == null || typeof value === 'string',
  );
}

/** An object that has these methods. @throws ImproperlyConfigured */
export function checkMethods<T>(name: string, value: T, methods: readonly string[]): T {
  const bag = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const missing = methods.filter((method) => typeof bag[method] !== 'function');
  const lack = missing.length < methods.length ? ` without ${missing.join(', ')}` : '';
  if (missing.length === 0) return value;
  const expected = `an object with the methods ${methods.join(', ')}`;
  throw new ImproperlyConfigured(`${name}: expected ${expected}; got ${show(value)}${lack}.`);
}

/** A serializer, or the name of one. @throws ImproperlyConfigured */
export function checkSerializer(given: unknown): string | Serializer {
  if (typeof given === 'string') return given;
  check('serializer', given, 'a name or a serializer', typeof given === 'object' && given !== null);
  const value = given as Serializer;
  for (const name of ['name', 'contentType'] as const) {
    check(`serializer.${name}`, value[name], 'a string', typeof value[name] === 'string');
  }
  return checkMethods('serializer', value, ['encode', 'decode']);
}

/** Names of serializers. @throws ImproperlyConfigured */
export function checkAccept(value: readonly string[] | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const ok = Array.isArray(value) && value.every((name) => typeof name === 'string');
  return check('acceptContent', value, 'an array of strings', ok);
}

export function checkFunction<T>(name: string, value: T): T {
  if (value === undefined || typeof value === 'function') return value;
  // What is given in its place may be the secret itself.
  throw new ImproperlyConfigured(`${name}: expected a function; got a value of type ${typeof value}.`);
}

/** A whole policy: what is given, over a base. @throws ImproperlyConfigured */
export function checkRetryPolicy(base: RetryPolicy, given: Partial<RetryPolicy> = {}): RetryPolicy {
  checkNames('retryPolicy', given, Object.keys(DEFAULT_RETRY_POLICY));
  const policy = { ...base, ...defined(given) };
  // Infinity is Celery's `None`: for ever.
  if (policy.maxRetries !== Infinity) checkInteger('retryPolicy.maxRetries', policy.maxRetries, 0);
  checkSeconds('retryPolicy.intervalStart', policy.intervalStart, 'zero');
  checkSeconds('retryPolicy.intervalStep', policy.intervalStep, 'zero');
  checkSeconds('retryPolicy.intervalMax', policy.intervalMax, 'zero');
  return Object.freeze(policy);
}

/** A way of trying always, or false: what is given, over a base. @throws ImproperlyConfigured */
export function checkAlwaysRetry(base: AlwaysRetry, given: unknown): AlwaysRetry | false {
  if (given === false) return false;
  check(
    'alwaysRetry',
    given,
    'a boolean or an object',
    given === true || (typeof given === 'object' && given !== null),
  );
  const parts = given === true ? {} : (given as Partial<AlwaysRetry>);
  checkNames('alwaysRetry', parts, Object.keys(DEFAULT_ALWAYS_RETRY));
  const policy = { ...base, ...defined(parts) };
  if (policy.maxRetries !== Infinity) checkInteger('alwaysRetry.maxRetries', policy.maxRetries, 0);
  checkSeconds('alwaysRetry.baseSleep', policy.baseSleep, 'zero');
  checkSeconds('alwaysRetry.maxSleep', policy.maxSleep, 'zero');
  return Object.freeze(policy);
}

/** The name of a time zone. @throws ImproperlyConfigured */
export function checkTimezone(value: unknown): string {
  check('timezone', value, 'the IANA name of a time zone', typeof value === 'string');
  dateWriter(value as string, show(value));
  return value as string;
}

/** All limits: what is given, over the defaults. @throws ImproperlyConfigured */
export function checkLimits(given: Partial<JsonLimits> = {}): JsonLimits {
  checkNames('limits', given, Object.keys(DEFAULT_LIMITS));
  const limits = { ...DEFAULT_LIMITS, ...defined(given) };
  for (const name of ['maxDepth', 'maxDigits', 'maxPayload'] as const) checkInteger(`limits.${name}`, limits[name], 1);
  return Object.freeze(limits);
}
