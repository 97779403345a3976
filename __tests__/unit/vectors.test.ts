/** Every JSON payload that was recorded from real Celery: read to the value of docs/serialization.md, and written
 * again. */
import { describe, expect, it } from '@jest/globals';

import { Codec } from '../../src/codec.ts';
import { RemoteError } from '../../src/errors.ts';
import { ExceptionRegistry } from '../../src/exceptions.ts';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { TypeRegistry } from '../../src/serializers/types.ts';
import { recordings, TEXTS, TYPED, VALUES } from '../support/vectors.ts';

const serializer = createJsonSerializer({ types: new TypeRegistry() });
const codec = new Codec({ serializer, exceptions: new ExceptionRegistry(), maxPayload: 2 ** 29 });

/** What is not written as it was read, and why. All else is the same byte for byte. */
const CHANGES: readonly { readonly why: string; readonly from: RegExp; readonly to: string }[] = [
  {
    why: 'a uuid is read as a string',
    from: /\{"__type__": "uuid", "__value__": \{"hex": "(.{8})(.{4})(.{4})(.{4})(.{12})"\}\}/g,
    to: '"$1-$2-$3-$4-$5"',
  },
  { why: 'a naive datetime is one in UTC', from: /("datetime", "__value__": "[^"]{19}(?:\.\d+)?)"/g, to: '$1+00:00"' },
  { why: 'a Date has milliseconds', from: /("datetime", "__value__": "[^"]{19}\.\d{3})\d{3}/g, to: '$1000' },
  { why: 'a Date has no fraction then', from: /("datetime", "__value__": "[^"]{19})\.000000/g, to: '$1' },
  { why: 'a Date has no offset', from: /2024-01-02T03:04:05\+05:30(?="\})/g, to: '2024-01-01T21:34:05+00:00' },
  { why: 'a Date has no offset', from: /2024-01-02T03:04:05-08:00(?="\})/g, to: '2024-01-02T11:04:05+00:00' },
];
const REFUSED = /^json\/value\/dict\.type-unknown$/;

function writtenAgain(payload: string): string {
  return CHANGES.reduce((text, { from, to }) => text.replace(from, to), payload);
}

/** The arguments of `ValueError('boom', 2)`, for the plain ones. */
function reprMessage(repr: string): string | undefined {
  const text = /^\(?\w+\('([^'\\]*)'\),?\)?$/.exec(repr)?.[1];
  return text;
}

describe.each(recordings)('the payloads of Celery $version', ({ version, vectors }) => {
  const values = { ...VALUES, ...(version === '5.6' ? TYPED : TEXTS) };

  it('are many', () => {
    expect(vectors.length).toBeGreaterThan(150);
  });

  it.each(vectors.filter(({ name }) => name.startsWith('json/value/')))(
    '$name is read as what was stored',
    (vector) => {
      const { result, status } = codec.decodeMeta(Buffer.from(vector.payload), vector.task_id);
      expect(status).toBe('SUCCESS');
      const short = vector.name.slice('json/value/'.length);
      if (short === 'str.long') expect(result).toMatch(/^x{100,}$/);
      else if (short === 'dict.type-lookalike') {
        const lookalike = { __type__: 'datetime', __value__: '2024-01-02T03:04:05' };
        expect(result).toEqual(new Date('2024-01-02T03:04:05Z'));
        expect(vector.payload).toContain(lookalike.__value__);
      } else {
        expect(Object.hasOwn(values, short)).toBe(true);
        expect(result).toEqual(values[short]);
      }
    },
  );

  it.each(vectors.filter(({ payload }) => /"status": "(FAILURE|RETRY|REVOKED)"/.test(payload)))(
    '$name is read as an error',
    ({ payload, task_id, python_repr }) => {
      const meta = codec.decodeMeta(Buffer.from(payload), task_id);
      const error = codec.present(meta, task_id).result as RemoteError;
      expect(error).toBeInstanceOf(RemoteError);
      expect(error.message.length + error.excArgs.length).toBeGreaterThan(0);
      const message = reprMessage(python_repr ?? '');
      if (message !== undefined) expect(error.message).toBe(message);
    },
  );

  it.each(vectors.filter(({ name }) => !REFUSED.test(name)))('$name is written as it was read', (vector) => {
    const document = serializer.decode(Buffer.from(vector.payload));
    // 1.0 would become 1, but no recorded payload has one. Addresses of objects (0x...) are texts, and stay.
    expect(serializer.encode(document)).toBe(writtenAgain(vector.payload));
  });

  it('refuses to write a look-alike of an envelope that was read', () => {
    for (const { payload, task_id } of vectors.filter(({ name }) => REFUSED.test(name))) {
      const meta = codec.decodeMeta(Buffer.from(payload), task_id);
      expect(() => codec.encodeMeta(meta)).toThrow('$.result: an object with exactly the keys');
    }
  });
});
