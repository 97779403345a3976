import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import { dateWriter, isoUtc, machineTimezone } from '../../src/dates.ts';
import { ImproperlyConfigured, RedisBackend } from '../../src/index.ts';
import { openSpace } from '../../src/memory/space.ts';
import { recordings } from '../support/vectors.ts';

const DATE = /"date_done": "([^"]*)"/;

describe('date_done', () => {
  const recorded = recordings
    .filter(({ version }) => version === '5.6')
    .flatMap(({ vectors }) => vectors.filter(({ name }) => /^json\/timezone\/(?!None)/.test(name)));

  it('is compared with recordings of three zones', () => {
    expect(recorded).toHaveLength(3);
  });

  it.each(recorded)('is that of Celery 5.6, milliseconds apart, in $name', async ({ config, payload, task_id: id }) => {
    const [, date = ''] = DATE.exec(payload) ?? [];
    const clock = { ...systemClock, wall: () => Date.parse(date) };
    const url = `memory://${randomUUID()}`;
    const space = openSpace(url, clock);
    await using backend = new RedisBackend({ conf: config }, { url, clock });
    await backend.storeResult(id, 1, 'SUCCESS', { request: {} });
    const written = space.get(`celery-task-meta-${id}`)?.toString();
    const inMilliseconds = date.replace(/(\.\d{3})\d{3}/, '$1000');
    expect(inMilliseconds).not.toBe(date);
    expect(written).toBe(payload.replace(date, inMilliseconds).replace('"children": null', '"children": []'));
  });

  it('is in the zone of the machine where enableUtc is off and no timezone is set', async () => {
    const url = `memory://${randomUUID()}`;
    const clock = { ...systemClock, wall: () => 1_780_000_000_000 };
    const space = openSpace(url, clock);
    await using backend = new RedisBackend({ conf: { enable_utc: false, timezone: null } }, { url, clock });
    await backend.storeResult('t', 1, 'SUCCESS');
    const written = DATE.exec(space.get('celery-task-meta-t')?.toString() ?? '')?.[1];
    expect(written).toBe(dateWriter(machineTimezone())(1_780_000_000_000));
  });

  it('is only written otherwise: a result that is known lives as long, whatever its zone', async () => {
    const url = `memory://${randomUUID()}`;
    await using backend = new RedisBackend({}, { url, timezone: 'Pacific/Kiritimati', expires: 60 });
    await backend.storeResult('t', 1, 'SUCCESS');
    await backend.getResult('t');
    expect(backend.isCached('t')).toBe(true);
  });
});

describe('a time zone', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T00:59:59.999Z', '2026-03-29T01:59:59.999000+01:00'],
    ['Europe/Berlin', '2026-03-29T01:00:00.000Z', '2026-03-29T03:00:00.000000+02:00'],
    ['Europe/Berlin', '2026-10-25T00:59:59.999Z', '2026-10-25T02:59:59.999000+02:00'],
    ['Europe/Berlin', '2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000000+01:00'],
    ['America/St_Johns', '2026-01-01T00:00:00.001Z', '2025-12-31T20:30:00.001000-03:30'],
    ['Australia/Lord_Howe', '2026-12-31T13:00:00.000Z', '2027-01-01T00:00:00.000000+11:00'],
    ['Asia/Kathmandu', '2026-06-01T18:15:00.500Z', '2026-06-02T00:00:00.500000+05:45'],
    ['Europe/Berlin', '1890-01-01T00:00:00.250Z', '1890-01-01T00:53:28.250000+00:53:28'],
    ['Europe/London', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000000+00:00'],
  ])('%s at %s is written as %s', (timezone, instant, text) => {
    expect(dateWriter(timezone)(Date.parse(instant))).toBe(text);
  });

  it('is an instant that reads back as the same, over two years by the quarter hour', () => {
    const write = dateWriter('America/New_York');
    const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2028, 0, 1)];
    const wrong: number[] = [];
    for (let ms = from; ms < to; ms += 900_000) if (Date.parse(write(ms)) !== ms) wrong.push(ms);
    expect(wrong).toEqual([]);
  });

  it.each(['UTC', 'utc', 'Etc/UTC', 'GMT', 'Zulu'])('%s is written without a look at any zone', (timezone) => {
    expect(dateWriter(timezone)).toBe(isoUtc);
  });

  it.each(['Mars/Olympus', '', '+05:30', 'Europe'])('that is not known (%j) is refused', (timezone) => {
    for (const configure of [
      () => new RedisBackend({}, { url: 'memory://', timezone }),
      () => new RedisBackend({ conf: { timezone } }, { url: 'memory://' }),
    ]) {
      expect(configure).toThrow(ImproperlyConfigured);
      expect(configure).toThrow(`got ${JSON.stringify(timezone)}.`);
    }
  });
});
