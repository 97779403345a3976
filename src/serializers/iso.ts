/** ISO 8601 as Python's `isoformat` writes it and a little more than its `fromisoformat` reads. */
import { InvalidArgumentError } from '../errors.ts';
import { excerpt } from './excerpt.ts';

const TIME = String.raw`(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?`;
const OFFSET = String.raw`(?:(Z)|([+-])(\d\d):?(\d\d)(?::?(\d\d)(?:\.\d{1,6})?)?)?`;
const DATETIME_FORM = new RegExp(String.raw`^(\d{4})-(\d\d)-(\d\d)(?:[T ]${TIME}${OFFSET})?$`);
const TIME_FORM = new RegExp(`^${TIME}${OFFSET}$`);

interface DateFields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** A Date as an aware Python datetime in UTC: no fraction at a whole second, else six digits. */
export function formatDatetime(date: Date): string {
  const time = date.getTime();
  if (Number.isNaN(time)) throw new InvalidArgumentError('Expected a valid Date.');
  const year = date.getUTCFullYear();
  if (year < 1 || year > 9999)
    throw new InvalidArgumentError(`Expected a year from 1 to 9999, as Python's are; got ${year}.`);
  const text = date.toISOString();
  return time % 1000 === 0 ? `${text.slice(0, 19)}+00:00` : `${text.slice(0, 23)}000+00:00`;
}

/**
 * The instant of an ISO datetime, cut to milliseconds. Without an offset it is UTC.
 *
 * `Date.parse` will not do: it takes a naive time for local, and fails on offsets with seconds and on years below 1000.
 */
export function parseDatetime(text: string): Date {
  const parts = DATETIME_FORM.exec(text);
  if (!parts) throw malformed('datetime', text);
  const { year, month, day } = checkDate(parts, text);
  const { hour, minute, second } = checkTime(parts.slice(4), 'datetime', text);
  const millisecond = Number((parts[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, millisecond);
  return new Date(date.getTime() - offsetSeconds(parts.slice(8)) * 1000);
}

/** The `YYYY-MM-DD` of an ISO date or datetime. */
export function parseDate(text: string): string {
  const parts = DATETIME_FORM.exec(text);
  if (!parts) throw malformed('date', text);
  checkDate(parts, text);
  checkTime(parts.slice(4), 'date', text);
  return text.slice(0, 10);
}

/** An ISO time in the form that every Python's `fromisoformat` reads: seconds, a fraction of six digits or none, no `Z`. */
export function parseTime(text: string): string {
  const parts = TIME_FORM.exec(text);
  if (!parts) throw malformed('time', text);
  checkTime(parts.slice(1), 'time', text);
  const [, hour, minute, second = '00', fraction, zulu, sign, offsetHour, offsetMinute, offsetSecond] = parts;
  const digits = fraction === undefined ? '' : `.${fraction.slice(0, 6).padEnd(6, '0')}`;
  const offset = sign === undefined ? '' : `${sign}${offsetHour}:${offsetMinute}`;
  const seconds = offsetSecond === undefined ? '' : `:${offsetSecond}`;
  return `${hour}:${minute}:${second}${digits}${zulu ? '+00:00' : offset + seconds}`;
}

function checkDate(parts: readonly (string | undefined)[], text: string): DateFields {
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (year < 1 || month < 1 || day < 1 || !exists) throw malformed('date', text);
  return { year, month, day };
}

function checkTime(
  parts: readonly (string | undefined)[],
  what: string,
  text: string,
): { readonly hour: number; readonly minute: number; readonly second: number } {
  const [hour, minute, second] = [Number(parts[0] ?? 0), Number(parts[1] ?? 0), Number(parts[2] ?? 0)];
  const offset = [Number(parts[6] ?? 0), Number(parts[7] ?? 0), Number(parts[8] ?? 0)] as const;
  const inRange = hour < 24 && minute < 60 && second < 60 && offset[0] < 24 && offset[1] < 60 && offset[2] < 60;
  if (!inRange) throw malformed(what, text);
  return { hour, minute, second };
}

function offsetSeconds(parts: readonly (string | undefined)[]): number {
  const [, sign, hour = 0, minute = 0, second = 0] = parts;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return sign === '-' ? -seconds : seconds;
}

function malformed(what: string, text: string): InvalidArgumentError {
  return new InvalidArgumentError(`Expected an ISO 8601 ${what}; got ${excerpt(text)}.`);
}
