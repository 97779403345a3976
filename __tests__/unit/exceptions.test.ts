import { describe, expect, it } from '@jest/globals';

import { ChordError, EncodeError, InvalidArgumentError, RemoteError, TaskRevokedError } from '../../src/errors.ts';
import { decodeException, encodeException, ExceptionRegistry, legible } from '../../src/exceptions.ts';
import { Decimal, PlainDate, PlainTime, Uuid } from '../../src/serializers/values.ts';

const context = { taskId: 't1', state: 'FAILURE', traceback: 'Traceback\n' };
const FOREIGN = 'celery_redis_backend.errors';

function read(result: unknown): RemoteError {
  const error = decodeException(result, context, new ExceptionRegistry());
  if (error instanceof RemoteError) return error;
  throw new Error('expected a RemoteError', { cause: error });
}

function written(value: unknown): unknown {
  return encodeException(value, new ExceptionRegistry()).info;
}

function named(name: string): Error {
  return Object.assign(new Error('boom'), { name });
}

describe('writing an error', () => {
  class InvoiceError extends Error {}
  class TE extends TypeError {}
  class RE extends RangeError {}
  class Named extends TypeError {
    override readonly name = 'Renamed';
  }
  class Inherited extends TypeError {}
  Inherited.prototype.name = 'OfPrototype';
  class Later extends Inherited {}
  const Anonymous = (() => class extends RangeError {})();

  it.each([
    [new Error('boom'), 'Error', FOREIGN],
    [new TypeError('boom'), 'TypeError', 'builtins'],
    [new SyntaxError('boom'), 'SyntaxError', 'builtins'],
    [new RangeError('boom'), 'RangeError', FOREIGN],
    [new AggregateError([], 'boom'), 'AggregateError', FOREIGN],
    [new InvoiceError('boom'), 'InvoiceError', FOREIGN],
    [new TE('boom'), 'TE', FOREIGN],
    [new RE('boom'), 'RE', FOREIGN],
    [new Named('boom'), 'Renamed', FOREIGN],
    [new Inherited('boom'), 'OfPrototype', FOREIGN],
    [new Later('boom'), 'Later', FOREIGN],
    [new Anonymous('boom'), 'RangeError', FOREIGN],
    [named('ValueError'), 'ValueError', 'builtins'],
    [named('StopIteration'), 'StopIteration', FOREIGN],
    [named('StopAsyncIteration'), 'StopAsyncIteration', FOREIGN],
    [named('KeyError'), 'KeyError', FOREIGN],
    [named('UnicodeDecodeError'), 'UnicodeDecodeError', FOREIGN],
    [named('SystemExit'), 'SystemExit', FOREIGN],
    [named('map'), 'map', FOREIGN],
    [named('os.system'), 'os.system', FOREIGN],
    [named('a\0b\ud800'), 'ab\ufffd', FOREIGN],
    [named(''), 'Error', FOREIGN],
    [new DOMException('boom', 'AbortError'), 'AbortError', FOREIGN],
  ])('writes %s with one argument, its message, as %s of %s', (error, excType, excModule) => {
    expect(written(error)).toEqual({ exc_type: excType, exc_message: ['boom'], exc_module: excModule });
  });

  it('puts the stack and those of its causes into the traceback, ending in a newline', () => {
    const cause = new Error('the disk is full');
    const error = new Error('boom', { cause });
    cause.cause = error;
    const { traceback } = encodeException(error);
    expect(traceback).toBe(`${error.stack}\nCaused by: ${cause.stack}\n`);
    expect(encodeException(Object.assign(new Error('x'), { stack: undefined })).traceback).toBe('Error: x\n');
    expect(encodeException(new Error('x', { cause: 'text' })).traceback).not.toContain('Caused by');
  });

  it('writes a remote error as it came', () => {
    const info = { exc_type: 'Outer.InnerError', exc_message: ['a', 2], exc_module: 'app' };
    expect(encodeException(read(info))).toEqual({ info, traceback: 'Traceback\n' });
    const revoked = new TaskRevokedError('terminated', { taskId: 't', excType: 'TaskRevokedError', excModule: 'celery.exceptions', excArgs: ['terminated'], traceback: null }); // prettier-ignore
    expect(encodeException(revoked)).toEqual({
      info: { exc_type: 'TaskRevokedError', exc_message: ['terminated'], exc_module: 'celery.exceptions' },
      traceback: null,
    });
  });

  it('takes an encoded exception as it is', () => {
    const info = { exc_type: 'ValueError', exc_message: ['x', 1], exc_module: 'builtins' };
    expect(encodeException(info)).toEqual({ info, traceback: null });
  });

  it.each([
    ['just text', 'just text'],
    [null, 'Unknown error'],
    [undefined, 'Unknown error'],
    [5, '5'],
    [{ why: 'x' }, "{ why: 'x' }"],
    [{ exc_type: 'half' }, "{ exc_type: 'half' }"],
  ])('wraps %p, which is no error, with a readable message', (value, message) => {
    expect(encodeException(value)).toEqual({
      info: { exc_type: 'Error', exc_message: [message], exc_module: FOREIGN },
      traceback: null,
    });
  });

  it.each([
    [404, '404'],
    [5n, '5n'],
    [{ a: 1 }, '{ a: 1 }'],
    [undefined, ''],
    [null, ''],
  ])('writes the message %p as the text %p', (message, text) => {
    expect(written(Object.assign(new Error(), { message }))).toMatchObject({ exc_message: [text] });
  });

  it('never throws, whatever the error does', () => {
    const hostile = new Proxy(new Error('x'), {
      get: () => {
        throw new Error('no');
      },
    });
    const getters = Object.defineProperties(Object.assign(new Error('x'), { stack: 5 }), {
      message: { get: () => { throw new Error('no'); } }, // prettier-ignore
      name: { value: Symbol('s') },
    });
    for (const value of [hostile, getters, Symbol('s'), () => 1]) {
      const { info } = encodeException(value);
      expect(typeof info.exc_type).toBe('string');
      expect(typeof info.exc_message[0]).toBe('string');
    }
  });

  it('replaces an argument that cannot be encoded by its text, alone', () => {
    const info = { exc_type: 'E', exc_message: ['a', new Set([1]), 2], exc_module: null };
    expect(legible(info, (arg) => typeof arg !== 'object').exc_message).toEqual(['a', 'Set(1) { 1 }', 2]);
  });
});

describe('reading an exception', () => {
  it.each([
    [{ exc_type: 'ValueError', exc_message: ['boom'], exc_module: 'builtins' }, 'boom', 'ValueError', ['boom']],
    [
      { exc_type: 'ValueError', exc_message: 'old writer', exc_module: 'builtins' },
      'old writer',
      'ValueError',
      ['old writer'],
    ],
    [{ exc_type: 'KeyError', exc_message: [], exc_module: 'builtins' }, 'KeyError', 'KeyError', []],
    [{ exc_type: 'Lost' }, 'Lost', 'Lost', []],
    [
      { exc_type: 'TimeLimitExceeded', exc_message: [30], exc_module: 'billiard.exceptions' },
      '30',
      'TimeLimitExceeded',
      [30],
    ],
    [{ exc_type: 'E', exc_message: ['a', 2, { b: 1 }], exc_module: 'm' }, 'a, 2, { b: 1 }', 'E', ['a', 2, { b: 1 }]],
    [{ exc_type: 'E', exc_message: { b: 1 }, exc_module: 5 }, '{ b: 1 }', 'E', [{ b: 1 }]],
    [
      { exc_type: 'FileNotFoundError', exc_message: [2, 'No such file'], exc_module: 'builtins' },
      '[Errno 2] No such file',
      'FileNotFoundError',
      [2, 'No such file'],
    ],
    [
      [
        ['exc_type', 'E'],
        ['exc_message', ['pairs']],
      ],
      'pairs',
      'E',
      ['pairs'],
    ],
    ['plain text', 'plain text', 'Error', ['plain text']],
    [5, '5', 'Error', [5]],
    [{ why: 'x' }, "{ why: 'x' }", 'Error', [{ why: 'x' }]],
    [{ exc_type: 5 }, '{ exc_type: 5 }', 'Error', [{ exc_type: 5 }]],
    [[1, 2], '[ 1, 2 ]', 'Error', [[1, 2]]],
    [true, 'true', 'Error', [true]],
  ])('reads %j as an error with the message %p', (result, message, excType, excArgs) => {
    const error = read(result);
    expect(error).toMatchObject({ message, excType, excArgs, taskId: 't1', traceback: 'Traceback\n', code: 'CELERY_TASK_FAILED' }); // prettier-ignore
  });

  it.each([[null], [''], [{}], [[]], [undefined]])('says of %j that no error was stored', (result) => {
    expect(read(result).message).toContain('FAILURE');
  });

  it("makes Celery's own errors of their module only", () => {
    const revoked = { exc_type: 'TaskRevokedError', exc_message: ['revoked'], exc_module: 'celery.exceptions' };
    expect(read(revoked)).toBeInstanceOf(TaskRevokedError);
    expect(read(revoked)).toMatchObject({ code: 'CELERY_TASK_REVOKED', message: 'revoked' });
    expect(read({ ...revoked, exc_type: 'ChordError' })).toBeInstanceOf(ChordError);
    expect(read({ ...revoked, exc_module: 'app' })).not.toBeInstanceOf(TaskRevokedError);
  });

  it('looks up nothing by a name from the wire', () => {
    for (const excType of ['TypeError', 'Function', '__proto__', 'constructor', 'process.exit']) {
      const error = read({ exc_type: excType, exc_message: ['x'], exc_module: 'builtins' });
      expect(error.constructor).toBe(RemoteError);
      expect(error.excType).toBe(excType);
    }
    expect(read(JSON.parse('{"__proto__": {"exc_type": "E"}}')).excType).toBe('Error');
  });

  it('unwraps what a worker could not pickle', () => {
    const error = read({
      exc_type: 'UnpickleableExceptionWrapper',
      exc_message: ['app', 'NeedsTwo', ['404: nf'], "NeedsTwo('404: nf')"],
      exc_module: 'celery.utils.serialization',
    });
    expect(error).toMatchObject({ excType: 'NeedsTwo', excModule: 'app', excArgs: ['404: nf'], message: '404: nf' });
  });

  it('takes the repr for the message of an exception without arguments that a worker could not pickle', () => {
    const wrapped = (args: unknown, repr: unknown): RemoteError =>
      read({
        exc_type: 'UnpickleableExceptionWrapper',
        exc_message: ['app', 'NoArgs', args, repr],
        exc_module: 'celery.utils.serialization',
      });
    expect(wrapped([], "NoArgs('lost')")).toMatchObject({ message: "NoArgs('lost')", excType: 'NoArgs', excArgs: [] });
    expect(wrapped([], "NoArgs('lost')")).not.toHaveProperty('repr');
    expect(wrapped([], 5)).toMatchObject({ message: 'NoArgs', excArgs: [] });
    expect(wrapped(['x'], 'repr')).toMatchObject({ message: 'x' });
  });

  it("says of typed arguments what Python's str() says", () => {
    const uuid = '0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5';
    const args = [
      new Decimal('1.50'),
      new PlainDate('2024-01-02'),
      new PlainTime('03:04:05'),
      new Uuid(uuid),
      2n ** 70n,
    ];
    expect(read({ exc_type: 'E', exc_message: args }).message).toBe(
      `1.50, 2024-01-02, 03:04:05, ${uuid}, 1180591620717411303424`,
    );
  });

  it('cuts and cleans the message, and leaves the arguments alone', () => {
    const text = `\u001b[31mred\u001b[0m\u0007\u202e\0 line\n\ttab ${'x'.repeat(20_000)}`;
    const error = read({ exc_type: 'E', exc_message: [text] });
    expect(error.message).toMatch(/^red line\n\ttab x/);
    expect(error.message).toHaveLength(8192);
    expect(error.excArgs).toEqual([text]);
    expect(read({ exc_type: `\u001b[2J${'T'.repeat(1e6)}` }).message).toBe('T'.repeat(200));
  });
});

describe('a registry of errors', () => {
  class InvoiceError extends Error {
    readonly invoice: number;
    constructor(message: string, invoice = 0) {
      super(message);
      this.invoice = invoice;
    }
  }
  class LateError extends InvoiceError {}

  it('maps a class, with its subclasses, both ways', () => {
    const registry = new ExceptionRegistry();
    registry.register(InvoiceError, {
      excModule: 'shop.errors',
      encode: (error) => [error.message, error.invoice],
      decode: ([message, invoice]) => new InvoiceError(String(message), Number(invoice)),
    });
    const { info, traceback } = encodeException(new LateError('late', 7), registry);
    expect(info).toEqual({ exc_type: 'InvoiceError', exc_message: ['late', 7], exc_module: 'shop.errors' });
    expect(traceback).toContain('late');
    const error = decodeException(info, context, registry);
    expect(error).toBeInstanceOf(InvoiceError);
    expect(error).toMatchObject({ message: 'late', invoice: 7 });
  });

  it('makes the error of its message by default', () => {
    const registry = new ExceptionRegistry();
    registry.register(InvoiceError);
    const { info } = encodeException(new InvoiceError('late', 7), registry);
    expect(info).toEqual({ exc_type: 'InvoiceError', exc_message: ['late'], exc_module: FOREIGN });
    expect(decodeException(info, context, registry)).toMatchObject({ message: 'late', invoice: 0 });
  });

  it('falls back to a remote error with the cause when its decoder throws or returns no error', () => {
    const cause = new Error('bad args');
    const registry = new ExceptionRegistry();
    registry.register(InvoiceError, { decode: () => { throw cause; } }); // prettier-ignore
    registry.register(LateError, { decode: () => 5 as unknown as Error });
    const thrown = decodeException(
      { exc_type: 'InvoiceError', exc_message: ['x'], exc_module: FOREIGN },
      context,
      registry,
    );
    expect(thrown).toMatchObject({ name: 'RemoteError', message: 'x', cause });
    const odd = decodeException({ exc_type: 'LateError', exc_message: ['x'], exc_module: FOREIGN }, context, registry);
    expect(odd.cause).toBeInstanceOf(TypeError);
  });

  it('writes the error by its message when its encoder throws', () => {
    const registry = new ExceptionRegistry();
    registry.register(InvoiceError, { encode: () => { throw new Error('no'); } }); // prettier-ignore
    expect(encodeException(new InvoiceError('late'), registry).info.exc_message).toEqual(['late']);
  });

  it.each([['text'], [undefined], [{ 0: 'x' }]])('refuses the %j of an encoder in place of an array', (args) => {
    const registry = new ExceptionRegistry();
    registry.register(InvoiceError, { encode: () => args as unknown as unknown[] });
    expect(() => encodeException(new InvoiceError('late'), registry)).toThrow(EncodeError);
    expect(() => encodeException(new InvoiceError('late'), registry)).toThrow(
      /InvoiceError: encode must return an array/,
    );
  });

  it('refuses a class or a name that is taken', () => {
    const registry = new ExceptionRegistry();
    registry.register(InvoiceError);
    expect(() => { registry.register(InvoiceError, { excType: 'Other' }); }).toThrow(InvalidArgumentError); // prettier-ignore
    expect(() => { registry.register(LateError, { excType: 'InvoiceError' }); }).toThrow(InvalidArgumentError); // prettier-ignore
  });
});
