import { describe, expect, it } from '@jest/globals';
import { redact, secretsOf } from '../../../src/cli/secrets.ts';
import { paintState, painter, wantsColour } from '../../../src/cli/style.ts';
import { manyLines, oneLine, plainMeta, progressOf, shownValue, toJson } from '../../../src/cli/text.ts';
import { RemoteError } from '../../../src/errors.ts';
import { Decimal } from '../../../src/serializers/values.ts';

const FIELDS = { taskId: 'a', excType: 'KeyError', excModule: 'builtins', excArgs: ['sku'], traceback: 'line' };

describe('toJson', () => {
  it.each<[string, unknown, string]>([
    ['an integer beyond 2^53', 2n ** 70n, '"1180591620717411303424"'],
    ['no number', [NaN, -Infinity], '["NaN","-Infinity"]'],
    ['a date', new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['bytes', { raw: Buffer.from('hi'), view: new Uint8Array([1, 2]) }, '{"raw":"aGk=","view":"AQI="}'],
    ['a decimal', new Decimal('1.10'), '"1.10"'],
    ['a map and a set', new Map<unknown, unknown>([['a', new Set([1])]]), '{"a":[1]}'],
    ['nothing', undefined, 'null'],
    ['a text that moves the cursor', '\u001b[2J\u009b\u202e\u2028', '"\\u001b[2J\\u009b\\u202e\\u2028"'],
  ])('writes %s', (_, value, json) => {
    expect(toJson(value)).toBe(json);
    expect(() => JSON.parse(json) as unknown).not.toThrow();
  });
});

describe('texts', () => {
  it('are made one line, without control characters', () => {
    expect(oneLine('a\nb\tc\u001b[1m\u0085')).toBe('a\\nb\\tc\\u001b[1m\\u0085');
    expect(manyLines('a\n\u0007b')).toBe('a\n\\u0007b');
  });

  it('of a meta are its value, its error, or nothing', () => {
    const error = new RemoteError("'sku'", FIELDS);
    expect(shownValue({ status: 'SUCCESS', result: { a: [1, null] } })).toBe('{"a":[1,null]}');
    expect(shownValue({ status: 'SUCCESS', result: null })).toBe('null');
    expect(shownValue({ status: 'PENDING', result: null })).toBe('');
    expect(shownValue({ status: 'FAILURE', result: error })).toBe("KeyError: 'sku'");
    expect(shownValue({ status: 'RETRY', result: null })).toBe('');
  });

  it('of a meta in JSON have the names of the wire', () => {
    const meta = { status: 'FAILURE', result: new RemoteError("'sku'", FIELDS), traceback: 'line', task_id: 'other' };
    expect(plainMeta('a', meta)).toEqual({
      task_id: 'a',
      status: 'FAILURE',
      result: { exc_type: 'KeyError', exc_message: ['sku'], exc_module: 'builtins' },
      traceback: 'line',
    });
  });

  it.each([
    [
      { current: 1, total: 4 },
      { current: 1, total: 4 },
    ],
    [{ current: 1, total: 0 }, undefined],
    [{ current: NaN, total: 4 }, undefined],
    [{ current: '1', total: 4 }, undefined],
    [null, undefined],
    ['half', undefined],
  ])('find the progress in %j', (result, progress) => {
    expect(progressOf({ status: 'PROGRESS', result })).toEqual(progress);
  });
});

describe('secrets', () => {
  it.each([
    ['redis://user:p@ss@host/0 is down', 'redis://**@host/0 is down'],
    ["unknown option '--x=rediss://:secret@host'", "unknown option '--x=rediss://**@host'"],
    ['redis://host/0?password=secret&db=1', 'redis://host/0?password=**&db=1'],
    ['sentinel://:a@h1;sentinel://:b@h2', 'sentinel://**@h2'],
    ['redis://user:a/b?c#d@host', 'redis://**@host'],
    ['nothing at all', 'nothing at all'],
  ])('of %j are not shown', (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  it('are hidden wherever they stand, as they are written and as they are', () => {
    const secrets = secretsOf('redis://user:p%40ssword@host/0?password=another');
    expect(secrets).toEqual(['p%40ssword', 'p@ssword', 'another']);
    expect(redact('tried p@ssword, p%40ssword and another', secrets)).toBe('tried **, ** and **');
    expect(secretsOf('redis://host/0')).toEqual([]);
    expect(secretsOf(undefined)).toEqual([]);
  });
});

describe('colours', () => {
  it.each<[boolean, Record<string, string>, boolean]>([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [true, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('on a terminal: %j, with %j: %j', (isTerminal, env, wanted) => {
    expect(wantsColour(isTerminal, env)).toBe(wanted);
  });

  it('are those of a state, or none', () => {
    expect(paintState(painter(true), 'FAILURE')).toBe('\u001b[31mFAILURE\u001b[39m');
    expect(paintState(painter(true), 'HALFWAY')).toBe('\u001b[36mHALFWAY\u001b[39m');
    expect(paintState(painter(false), 'FAILURE')).toBe('FAILURE');
  });
});
