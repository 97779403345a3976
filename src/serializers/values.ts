/**
 * Python's value types that JavaScript has no counterpart for. They hold the text of the wire, checked and immutable,
 * and leave arithmetic to a library of the user's choice.
 */
import { InvalidArgumentError } from '../errors.ts';
import { describe, excerpt } from './excerpt.ts';
import { parseDate, parseTime } from './iso.ts';

// Python refuses exponents beyond 18 digits.
const DECIMAL_FORM = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,18})?|Inf(?:inity)?|s?NaN\d*)$/i;
const UUID_FORM = /^[0-9a-f]{32}$/;

/** What they have in common. */
export class TextValue<K extends string = string> {
  /** Which of the types it is. */
  readonly kind: K;
  /** The text, as `toString()` returns it. */
  readonly text: string;

  constructor(kind: K, text: string) {
    this.kind = kind;
    this.text = text;
    Object.freeze(this);
  }

  toString(): string {
    return this.text;
  }

  toJSON(): string {
    return this.text;
  }
}

/**
 * A decimal number of any precision: `new Decimal('3.140')`. Keeps its text, trailing zeros included.
 *
 * @throws InvalidArgumentError when Python's `Decimal` would not read the text
 * @see decimal.Decimal
 */
export class Decimal extends TextValue<'decimal'> {
  constructor(text: string) {
    if (!DECIMAL_FORM.test(checkText('decimal number', text))) {
      throw new InvalidArgumentError(`Expected a decimal number; got ${excerpt(text)}.`);
    }
    super('decimal', text);
  }
}

/**
 * A UUID that Python reads as one: `new Uuid('0e4a9f7e-6d7f-4ad2-8e4a-92a1b2c3d4e5')`. A UUID that is read comes as a
 * string, in the same form as this type's `toString()`: lowercase, with dashes.
 *
 * @throws InvalidArgumentError unless the text has 32 hexadecimal digits, with or without dashes
 * @see uuid.UUID
 */
export class Uuid extends TextValue<'uuid'> {
  constructor(text: string) {
    const hex = checkText('UUID', text).replaceAll('-', '').toLowerCase();
    if (!UUID_FORM.test(hex)) throw new InvalidArgumentError(`Expected a UUID; got ${excerpt(text)}.`);
    super('uuid', hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
  }

  /** The 32 digits without dashes, as they stand on the wire. */
  get hex(): string {
    return this.text.replaceAll('-', '');
  }
}

/**
 * A calendar date without a time: `new PlainDate('2024-01-02')`.
 *
 * @throws InvalidArgumentError unless it is a date that exists, in the years 1 to 9999
 * @see datetime.date
 */
export class PlainDate extends TextValue<'date'> {
  constructor(text: string) {
    super('date', parseDate(checkText('ISO 8601 date', text)));
  }
}

/**
 * A time of day, with or without an offset: `new PlainTime('03:04:05.678901')`. Seconds are added where they are
 * missing and a fraction is given six digits, since older Pythons read nothing else.
 *
 * @throws InvalidArgumentError unless it is an ISO 8601 time
 * @see datetime.time
 */
export class PlainTime extends TextValue<'time'> {
  constructor(text: string) {
    super('time', parseTime(checkText('ISO 8601 time', text)));
  }
}

function checkText(what: string, text: unknown): string {
  if (typeof text === 'string') return text;
  throw new InvalidArgumentError(`Expected the text of a ${what}; got ${describe(text)}.`);
}
