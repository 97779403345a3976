/** Points in time as Celery writes them. */
import { ImproperlyConfigured } from './errors.ts';

/** Writes milliseconds since 1970 in ISO 8601. */
export type DateWriter = (ms: number) => string;

/** `2026-11-22T21:33:46.571000+00:00`: six digits, because Celery 5.2 reads the fraction as a count of microseconds. */
export const isoUtc: DateWriter = (ms) => `${new Date(ms).toISOString().slice(0, -1)}000+00:00`;

/** The time zone of this machine, which is Celery's where `enable_utc` is off and no `timezone` is set. */
export function machineTimezone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/**
 * Writes dates with the offset that a time zone has at that moment: `2026-11-22T22:18:09.832000+01:00`.
 *
 * @param timezone - an IANA name, such as `'Europe/Berlin'`
 * @param shown - how an error shows it; the text itself may be anything
 * @throws ImproperlyConfigured for a zone that is not known to this Node
 */
export function dateWriter(timezone: string, shown = 'another text'): DateWriter {
  // The default. To look it up as below takes 15 ms of each start.
  if (timezone === 'UTC') return isoUtc;
  const zone = openZone(timezone, shown);
  // The canonical name of the other names of it.
  if (zone.resolvedOptions().timeZone === 'UTC') return isoUtc;
  return (ms) => {
    const offset = offsetSeconds(zone, ms);
    const local = new Date(ms + offset * 1000).toISOString().slice(0, -1);
    return `${local}000${offset < 0 ? '-' : '+'}${clockFace(Math.abs(offset))}`;
  };
}

function openZone(timezone: string, shown: string): Intl.DateTimeFormat {
  const digits = { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
  try {
    // Newer versions of Node take offsets for names, which Python does not.
    if (/^[A-Za-z]/.test(timezone)) {
      return new Intl.DateTimeFormat('en-US', { timeZone: timezone, hourCycle: 'h23', year: 'numeric', ...digits });
    }
  } catch {
    // A RangeError: there is no such zone, as below.
  }
  const expected = 'the IANA name of a time zone, such as UTC or Europe/Berlin';
  throw new ImproperlyConfigured(`timezone: expected ${expected}; got ${shown}.`);
}

/** Seconds that the clocks of a zone are ahead of UTC. */
function offsetSeconds(zone: Intl.DateTimeFormat, ms: number): number {
  const parts = Object.fromEntries(zone.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Math.round((Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000) / 1000);
}

/** `01:00`; with seconds where there are any, as in offsets of before 1900. */
function clockFace(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[2] === 0) parts.pop();
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
