/** Names, messages and tracebacks of errors, for Python and for people. */
import { stripVTControlCharacters } from 'node:util';

import { readable } from './serializers/excerpt.ts';
import { TextValue } from './serializers/values.ts';

/** A module that no Python process has imported: Celery then makes a class of the given name, derived from Exception. */
export const FOREIGN_MODULE = 'celery_redis_backend.errors';

/**
 * Python's exceptions whose `str()` of one text is that text. Other names of `builtins` would be looked up there too:
 * `map` makes the whole result unreadable, and `str(KeyError('x'))` is `'x'` in quotes. A StopIteration is a signal to
 * Python's loops and no failure: raised by its reader, it would end one quietly.
 */
const PYTHON_EXCEPTIONS: ReadonlySet<string> = new Set(
  [
    'ArithmeticError AssertionError AttributeError BlockingIOError BrokenPipeError BufferError ChildProcessError',
    'ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError EOFError Exception',
    'FileExistsError FileNotFoundError FloatingPointError ImportError IndentationError IndexError InterruptedError',
    'IsADirectoryError LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplementedError',
    'OSError OverflowError PermissionError ProcessLookupError RecursionError ReferenceError RuntimeError',
    'SyntaxError SystemError TabError TimeoutError TypeError UnboundLocalError ValueError ZeroDivisionError',
  ].flatMap((names) => names.split(' ')),
);

/** The exceptions that print as `[Errno 2] No such file`. */
const OS_ERRORS: ReadonlySet<string> = new Set(
  [
    'OSError BlockingIOError BrokenPipeError ChildProcessError ConnectionAbortedError ConnectionError IOError',
    'ConnectionRefusedError ConnectionResetError FileExistsError FileNotFoundError InterruptedError',
    'IsADirectoryError NotADirectoryError PermissionError ProcessLookupError TimeoutError EnvironmentError',
  ].flatMap((names) => names.split(' ')),
);

/** The longest message that is made from what was read, in characters. */
const MESSAGE_LENGTH = 8192;
const NAME_LENGTH = 200;

/** The module to write for an exception of this name. */
export function moduleOf(name: string): string {
  return PYTHON_EXCEPTIONS.has(name) ? 'builtins' : FOREIGN_MODULE;
}

/** A name that Python can give to a class. */
export function className(name: unknown): string {
  if (typeof name !== 'string') return 'Error';
  return printable(name).trim().slice(0, NAME_LENGTH).toWellFormed() || 'Error';
}

/**
 * The name of an error's class: its `name`, where the error or its own class has one; else that of its constructor. So
 * a `class NotFound extends TypeError {}` is NotFound.
 */
export function errorName(error: object): string {
  const name = property(error, 'name');
  if (name !== 'Error' && hasOwnName(error)) return className(name);
  const constructor = property(error, 'constructor');
  const constructed = typeof constructor === 'function' ? property(constructor, 'name') : '';
  return className(constructed === '' ? name : constructed);
}

function hasOwnName(error: object): boolean {
  try {
    const prototype = Object.getPrototypeOf(error) as object | null;
    return Object.hasOwn(error, 'name') || (prototype !== null && Object.hasOwn(prototype, 'name'));
  } catch {
    return true;
  }
}

/** A property; `undefined` where reading it throws. */
export function property(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The stack of an error and of what caused it, ending in a newline as Python's tracebacks do. */
export function stackText(error: object): string {
  const seen = new Set<unknown>();
  const stacks: string[] = [];
  for (let next: unknown = error; typeof next === 'object' && next !== null && !seen.has(next) && seen.size < 20;) {
    seen.add(next);
    const stack = property(next, 'stack');
    stacks.push(typeof stack === 'string' && stack !== '' ? stack : headline(next));
    next = property(next, 'cause');
  }
  return `${stacks.join('\nCaused by: ').replace(/\n+$/, '')}\n`;
}

function headline(error: object): string {
  const message = property(error, 'message');
  return typeof message === 'string' ? `${errorName(error)}: ${message}` : readable(error, MESSAGE_LENGTH);
}

/** The message for people: what Python's `str()` of the exception would say, or more, without control characters. */
export function messageOf(excType: string, args: readonly unknown[]): string {
  return printable(rawMessage(excType, args)).slice(0, MESSAGE_LENGTH);
}

function rawMessage(excType: string, args: readonly unknown[]): string {
  const [first, second] = args;
  if (args.length === 0) return excType;
  if (OS_ERRORS.has(excType) && Number.isInteger(first) && typeof second === 'string') {
    const file = typeof args[2] === 'string' ? `: '${args[2]}'` : '';
    return `[Errno ${String(first)}] ${second}${file}`;
  }
  return args.slice(0, 100).map(argumentText).join(', ');
}

/** Nearly what Python's `str()` says of a value. */
function argumentText(arg: unknown): string {
  return arg instanceof TextValue || typeof arg === 'bigint' ? arg.toString() : readable(arg, 2 * MESSAGE_LENGTH);
}

/** Without ANSI sequences and control characters but line breaks and tabs. */
function printable(text: string): string {
  const plain = stripVTControlCharacters(text.slice(0, 4 * MESSAGE_LENGTH));
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return plain.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '');
}
