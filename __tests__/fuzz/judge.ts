/** What a reader may do with an input: give a value, or fail with a typed error. Everything else is a finding. */
import { types as is } from 'node:util';
import { CeleryError, TaskError } from '../../src/errors.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from '../../src/serializers/values.ts';
import { TRAP } from './wild.ts';

/** What came of one input: `'value'`, `'value (kind)'`, or the code of an error. */
export type Outcome = string;

/** A value, with a word for what led to it where several things can. */
export class Kind {
  readonly word: string;
  readonly value: unknown;

  constructor(word: string, value: unknown) {
    this.word = word;
    this.value = value;
  }
}

/** Something that a reader did and must not do. */
export class Finding extends Error {}

/** Never to be seen in a message. */
export const SECRET = 'hunter2hunter2';

/** Of an error of our own making, and of one with a message from the wire, in characters. */
const LONGEST_MESSAGE = 3000;
const LONGEST_TASK_MESSAGE = 9000;
/**
 * How much of the processor's time an input may take, in ms: a small one, and for each MiB. Generous, since that time too
 * grows on a busy machine, if not much: it finds what explodes.
 */
const SLOW_MS = 2000;
const SLOW_MS_A_MIB = 15_000;
/** How often an input must be that slow. The first time may be that of the compiler, or of the garbage collector. */
const SLOW_TIMES = 3;
/** Objects of a value that are looked at. */
const LOOKED_AT = 5000;

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const PROTOTYPES: ReadonlySet<object | null> = new Set<object | null>([
  ...[Object, Array, Map, Set, Date, RegExp, URL, Error, Buffer, Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array],
  ...[Float32Array, Float64Array, Uint8ClampedArray, BigInt64Array, BigUint64Array, Decimal, PlainDate, PlainTime, Uuid],
].map((type) => type.prototype as object)); // prettier-ignore

const WATCHED: readonly object[] = [
  Object, Array, Function, String, Number, Boolean, Symbol, Map, Set, Date, RegExp, Error, Promise, Uint8Array, Buffer, CeleryError,
].flatMap((type) => [type, type.prototype as object]); // prettier-ignore

/** Those that are looked at after each input. */
const OFTEN = [Object.prototype, Array.prototype, Function.prototype];

function fingerprint(): readonly (readonly unknown[])[] {
  return WATCHED.map((object) =>
    Reflect.ownKeys(object).flatMap((key) => {
      const found = Object.getOwnPropertyDescriptor(object, key);
      // eslint-disable-next-line @typescript-eslint/unbound-method -- they are compared, not called
      return [key, found?.value as unknown, found?.get, found?.set];
    }),
  );
}

/** Watches the process while inputs are read. */
export class Judge implements Disposable {
  readonly #before = fingerprint();
  readonly #counts = OFTEN.map((object) => Reflect.ownKeys(object).length);
  readonly #globals = new Set(Reflect.ownKeys(globalThis));
  readonly #eval = globalThis.eval;
  readonly #prototypes = new Set(PROTOTYPES);
  readonly #slowMs: number;
  #sprung = 0;
  #bytes = 0;
  /** The slowest input so far, in ms of the processor's time. */
  slowest = 0;

  /** @param more - classes whose instances may come out, besides the usual */
  constructor(more: readonly { readonly prototype: unknown }[] = [], slowMs: number = SLOW_MS) {
    this.#slowMs = slowMs;
    for (const { prototype } of more) this.#prototypes.add(prototype as object);
    const spring = (): void => {
      this.#sprung += 1;
    };
    Object.defineProperty(globalThis, TRAP, { value: spring, configurable: true });
    globalThis.eval = spring;
    this.#globals.add(TRAP);
  }

  [Symbol.dispose](): void {
    globalThis.eval = this.#eval;
    Reflect.deleteProperty(globalThis, TRAP);
  }

  /** A reader says what else it worked on besides its input. */
  readonly spend = (bytes: number): void => {
    this.#bytes += bytes;
  };

  /**
   * Reads an input.
   *
   * @param text - of the input, where it is one, for what must not be in a message
   * @throws Finding
   */
  async run(read: () => unknown, text: string): Promise<Outcome> {
    this.#bytes = text.length;
    let start = worked();
    const outcome = await this.#attempt(read, text);
    let took = worked() - start;
    const bound = this.#slowMs + (SLOW_MS_A_MIB * this.#bytes) / 2 ** 20;
    for (let times = 1; times < SLOW_TIMES && took > bound; times++) {
      start = worked();
      await this.#attempt(read, text);
      took = Math.min(took, worked() - start);
    }
    if (took > bound)
      throw new Finding(
        `slow: ${took.toFixed(0)} ms for ${text.length} characters, ${this.#bytes} with what was written`,
      );
    this.slowest = Math.max(this.slowest, took);
    return outcome;
  }

  async #attempt(read: () => unknown, text: string): Promise<Outcome> {
    let outcome: Outcome;
    try {
      const found = read();
      const value: unknown = found instanceof Promise ? await found : found;
      this.#checkValue(value instanceof Kind ? value.value : value, text);
      outcome = value instanceof Kind ? `value (${value.word})` : 'value';
    } catch (error) {
      if (error instanceof Finding) throw error;
      outcome = checkError(error, text);
    }
    if (this.#sprung > 0) throw new Finding('code of the payload ran');
    OFTEN.forEach((object, i) => {
      if (Reflect.ownKeys(object).length !== this.#counts[i]) this.checkGlobals();
    });
    return outcome;
  }

  /** Whether what everybody shares is as it was; after each input only some of it is looked at. @throws Finding */
  checkGlobals(): void {
    fingerprint().forEach((now, i) => {
      const before = this.#before[i] ?? [];
      const at = now.findIndex((part, place) => !Object.is(part, before[place]));
      if (at !== -1 || now.length !== before.length)
        throw new Finding(`polluted: ${nameOf(WATCHED[i] ?? null)} ${String(now[at - (at % 4)])}`);
    });
    const planted = Reflect.ownKeys(globalThis).find((key) => !this.#globals.has(key));
    if (planted !== undefined) throw new Finding(`a new global: ${String(planted)}`);
  }

  /** Data and nothing but data, of known classes. */
  #checkValue(root: unknown, text: string): void {
    const seen = new Set<object>();
    const open: unknown[] = [root];
    for (let value = open.pop(); open.length > 0 || value !== undefined; value = open.pop()) {
      if (typeof value === 'function' || typeof value === 'symbol')
        throw new Finding(`a value has a ${typeof value} in it`);
      if (typeof value !== 'object' || value === null || seen.has(value)) continue;
      if (seen.add(value).size > LOOKED_AT) return;
      if (value instanceof CeleryError) {
        checkError(value, text);
        if ('excArgs' in value) open.push(value.excArgs);
        continue;
      }
      const prototype = Object.getPrototypeOf(value) as object | null;
      if (!this.#prototypes.has(prototype)) throw new Finding(`a value has the prototype ${nameOf(prototype)}`);
      open.push(...contents(value));
    }
  }
}

/** The processor's time that this process took, in ms. Time on the clock is longer when others are busy. */
function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function contents(value: object): readonly unknown[] {
  if (is.isMap(value)) return [...value].flat();
  if (is.isSet(value)) return [...value];
  if (ArrayBuffer.isView(value) || is.isNativeError(value) || value instanceof URL) return [];
  if (Array.isArray(value)) return value.slice(0, LOOKED_AT) as unknown[];
  const all = Reflect.ownKeys(value).map((key) => Object.getOwnPropertyDescriptor(value, key));
  if (all.some((each) => each && !('value' in each))) throw new Finding('a value has an accessor in it');
  return all.map((each) => each?.value as unknown);
}

function nameOf(prototype: object | null): string {
  const constructor: unknown = prototype && Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return typeof constructor === 'function'
    ? constructor.name
    : `with ${Object.keys(prototype ?? {}).join(', ') || 'nothing'}`;
}

/** @returns the error's code */
function checkError(error: unknown, text: string): Outcome {
  if (!(error instanceof CeleryError)) {
    const stack = error instanceof Error ? error.stack : undefined;
    throw new Finding(`no typed error: ${(stack ?? String(error)).slice(0, 1500)}`, { cause: error });
  }
  const { message, code } = error;
  const longest = error instanceof TaskError ? LONGEST_TASK_MESSAGE : LONGEST_MESSAGE;
  if (typeof code !== 'string' || !code.startsWith('CELERY_')) throw new Finding(`no code: ${message}`);
  if (message.length > longest)
    throw new Finding(`a message of ${message.length}: ${JSON.stringify(message.slice(0, 200))}`);
  if (CONTROL.test(message)) throw new Finding(`control characters: ${JSON.stringify(message.slice(0, 500))}`);
  if (message.includes(SECRET)) throw new Finding(`a secret is shown: ${message}`);
  if (!(error instanceof TaskError) && text.length > 100 && message.includes(text))
    throw new Finding(`the input is shown: ${message}`);
  return code;
}
