import { describe, expect, it } from '@jest/globals';

import { Codec } from '../../src/codec.ts';
import { BackendStoreError, DecodeError, EncodeError, RemoteError } from '../../src/errors.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import { buildMeta, type TaskMeta } from '../../src/meta.ts';
import type { Serializer } from '../../src/ports.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';

function codecOf(serializer: Serializer = createJsonSerializer(), maxPayload = 2 ** 29): Codec {
  return new Codec({ serializer, exceptions: new ExceptionRegistry(), maxPayload });
}

function meta(state: string, result: unknown, rest: object = {}): TaskMeta {
  const parts = { taskId: 't1', state, result, traceback: null, request: undefined, extended: false, now: 0 };
  return { ...buildMeta(parts), ...rest };
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

const failure = { exc_type: 'ValueError', exc_message: ['boom'], exc_module: 'builtins' };
const codec = codecOf();

describe('a codec', () => {
  it('writes a meta as Celery does', () => {
    expect(codec.encodeMeta(meta('SUCCESS', 42))).toBe(
      '{"status": "SUCCESS", "result": 42, "traceback": null, "children": null, "date_done": "1970-01-01T00:00:00.000000+00:00", "task_id": "t1"}',
    );
  });

  it('writes a stamp of any name, and the retries of the request', () => {
    const parts = { taskId: 't1', state: 'STARTED', result: null, traceback: null, extended: true, now: 0 };
    const stamps: unknown = JSON.parse('{"__proto__": {"x": 1}, "constructor": "c", "status": "forged"}');
    const stamped = buildMeta({ ...parts, request: { stamps: stamps as Record<string, unknown> } });
    expect(Object.getPrototypeOf(stamped)).toBe(Object.prototype);
    const text = codec.encodeMeta(stamped) as string;
    expect(text).toContain('"stamped_headers": null, "__proto__": {"x": 1}, "constructor": "c", "task_id"');
    expect(codec.decodeMeta(bytes(text), 't1')).toEqual(stamped);
    for (const [retries, written] of [[null, null], [undefined, 0], [3, 3]] as const) {
      const request = retries === undefined ? {} : { retries };
      expect(buildMeta({ ...parts, request }).retries).toBe(written);
    } // prettier-ignore
  });

  it('reads a meta, frozen, with the exception as it was stored', () => {
    const read = codec.decodeMeta(bytes(JSON.stringify(meta('FAILURE', failure))), 't1');
    expect(read).toEqual(meta('FAILURE', failure));
    expect(Object.isFrozen(read)).toBe(true);
  });

  it('takes a meta without result, task_id and the rest', () => {
    expect(codec.decodeMeta(bytes('{"status": "STARTED"}'), 't1')).toEqual({ status: 'STARTED', result: null });
  });

  it.each([
    ['[1]', /meta; got an array/],
    ['null', /meta; got null/],
    ['{"result": 1}', /status; got a undefined|status; got/],
    ['{"status": 5}', /status; got 5/],
    ['{"__proto__": {"status": "SUCCESS"}}', /status/],
    ['{"status": "SUCCESS", "task_id": "t2"}', /task "t1"; got that of "t2"/],
    ['{"status": "SUCCESS", "task_id": 5}', /got that of 5/],
  ])('refuses %s', (text, message) => {
    expect(() => codec.decodeMeta(bytes(text), 't1')).toThrow(DecodeError);
    expect(() => codec.decodeMeta(bytes(text), 't1')).toThrow(message);
  });

  it('presents an exception as an error, made anew for each reader', () => {
    for (const state of ['FAILURE', 'RETRY', 'REVOKED']) {
      const stored = Object.freeze(meta(state, failure, { traceback: 'tb\n' }));
      const [one, two] = [codec.present(stored, 't1'), codec.present(stored, 't1')];
      expect(one.result).toBeInstanceOf(RemoteError);
      expect(one.result).toMatchObject({ message: 'boom', taskId: 't1', traceback: 'tb\n' });
      expect(one.result).not.toBe(two.result);
      expect(Object.isFrozen(one)).toBe(true);
    }
  });

  it('presents every other meta as it is, and a RETRY without an error', () => {
    for (const stored of [meta('SUCCESS', failure), meta('PROGRESS', { n: 1 }), meta('RETRY', null)]) {
      expect(codec.present(stored, 't1')).toBe(stored);
    }
    expect(codec.present(meta('FAILURE', null), 't1').result).toBeInstanceOf(RemoteError);
  });

  it('writes an error for the states that have one; a RETRY may have none', () => {
    expect(codec.encodeError(new TypeError('x'), 'FAILURE')).toMatchObject({ result: { exc_type: 'TypeError' } });
    expect(codec.encodeError(null, 'RETRY')).toEqual({ result: null, traceback: null });
    expect(codec.encodeError(null, 'FAILURE').result).toMatchObject({ exc_message: ['Unknown error'] });
  });

  it('replaces the one argument of an exception that cannot be written by its text', () => {
    const info = { ...failure, exc_message: ['a', { __type__: 1, __value__: 2 }, 3n] };
    expect(codec.encodeMeta(meta('FAILURE', info))).toContain(
      '"exc_message": ["a", "{ __type__: 1, __value__: 2 }", 3]',
    );
    expect(() => codec.encodeMeta(meta('SUCCESS', { f: () => 1 }))).toThrow(EncodeError);
    expect(() => codec.encodeMeta(meta('FAILURE', failure, { args: [() => 1] }))).toThrow(/\$\.args\[0\]/);
  });

  it('refuses a payload beyond the limit in bytes', () => {
    const size = (codec.encodeMeta(meta('SUCCESS', 'x')) as string).length;
    expect(codecOf(undefined, size).encodeMeta(meta('SUCCESS', 'x'))).toHaveLength(size);
    const small = codecOf(undefined, size - 1);
    const expected = { code: 'CELERY_VALUE_TOO_LARGE', taskId: 't1', state: 'SUCCESS' };
    expect(() => small.encodeMeta(meta('SUCCESS', 'x'))).toThrow(expect.objectContaining(expected));
    const raw: Serializer = { ...createJsonSerializer(), encode: () => '\u6f22'.repeat(10) };
    expect(codecOf(raw, 30).encodeMeta(meta('SUCCESS', 1))).toHaveLength(10);
    expect(() => codecOf(raw, 29).encodeMeta(meta('SUCCESS', 1))).toThrow(BackendStoreError);
  });

  it('says the same of a text that V8 cannot hold', () => {
    const half = 'x'.repeat(2 ** 28);
    expect(() => codec.encodeMeta(meta('SUCCESS', [half, half, half]))).toThrow(/^value too large for Redis backend/);
  });

  it.each([
    ['a text whose escapes are too long', () => '\u00e9'.repeat(100 * 2 ** 20)],
    ['bytes whose base64 is too long', () => Buffer.alloc(420 * 2 ** 20, 0xff)],
    ['bytes that are too long a text', () => Buffer.alloc(530 * 2 ** 20, 'a')],
  ])('says the same of %s', (_, make) => {
    const value = make();
    const expected = { code: 'CELERY_VALUE_TOO_LARGE', taskId: 't1', state: 'SUCCESS' };
    expect(() => codec.encodeMeta(meta('SUCCESS', value))).toThrow(expect.objectContaining(expected));
  });

  it('loads its serializer once, and again after a failure', async () => {
    let calls = 0;
    const load = (): Promise<void> => (++calls === 1 ? Promise.reject(new Error('offline')) : Promise.resolve());
    const loading = codecOf({ ...createJsonSerializer(), load });
    await expect(Promise.all([loading.load(), loading.load()])).rejects.toThrow('offline');
    expect(calls).toBe(1);
    await loading.load();
    await loading.load();
    expect(calls).toBe(2);
  });

  it('wraps and unwraps result, args and kwargs, but not an exception', () => {
    const marked = codecOf({
      ...createJsonSerializer(),
      wrap: (value) => ({ wrapped: value }),
      unwrap: (value) => (value as { wrapped: unknown }).wrapped,
    });
    for (const stored of [meta('SUCCESS', 1, { args: [2], kwargs: {} }), meta('FAILURE', failure, { args: [2] })]) {
      const text = marked.encodeMeta(stored) as string;
      expect(text).toContain('"args": {"wrapped": [2]}');
      expect(text.includes('"result": {"wrapped"')).toBe(stored.status === 'SUCCESS');
      expect(marked.decodeMeta(bytes(text), 't1')).toEqual(stored);
    }
  });

  it('tells a stored SUCCESS, whatever is stored', () => {
    const { guard } = codec;
    expect(guard.isSuccess(bytes('{"result": 1, "status": "SUCCESS"}'))).toBe(true);
    for (const text of [
      '{"status": "FAILURE", "args": {"status": "SUCCESS"}}',
      '"SUCCESS"',
      'null',
      '',
      '\u0080',
      '[NaN',
      '{"status": "SUCC',
    ]) {
      expect(guard.isSuccess(bytes(text))).toBe(false);
    }
    // As the probe has it: the first bytes of Celery's own form tell, whatever follows.
    for (const text of [
      '{"status": "SUCCESS", "resu',
      '{"status":"SUCCESS"',
      '{"status": "SUCCESS", "status": "STARTED"}',
    ]) {
      expect(guard.isSuccess(bytes(text))).toBe(true);
    }
    expect(guard.isSuccess(bytes('{"status":"FAILURE","status":"SUCCESS"}'))).toBe(false);
    expect(guard.isSuccess(bytes(String.raw`{"status": "\u0053UCCESS"}`))).toBe(true);
    expect(guard.probe).toContain('GETRANGE');
    const plain = createJsonSerializer();
    Reflect.deleteProperty(plain, 'probe');
    expect('probe' in codecOf(plain).guard).toBe(false);
  });
});
