/** `watch` with a reader who takes its time. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { watchAll } from '../../../src/cli/commands/wait.ts';
import { type Io, Printer } from '../../../src/cli/io.ts';
import { Outcome, type Session } from '../../../src/cli/session.ts';
import { Unread } from '../../../src/cli/unread.ts';
import type { BackendOptions } from '../../../src/index.ts';
import { awaited, memoryBackend, progress, succeed } from '../../../src/testing/index.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** Resolves with the next event of waits. */
function heard(name: 'wait' | 'timeout'): Promise<void> {
  const channel = `celery-redis-backend:${name}`;
  return new Promise((resolve) => {
    const onEvent = (): void => {
      unsubscribe(channel, onEvent);
      resolve();
    };
    subscribe(channel, onEvent);
  });
}

/** A session whose output nobody reads as yet. */
function stalled(
  options: BackendOptions = {},
): Session & { readonly stdout: PassThrough; readonly stderr: PassThrough } {
  const stdout = new PassThrough({ highWaterMark: 1 });
  const stderr = new PassThrough();
  const signal = new AbortController().signal;
  const io: Io = { stdin: Readable.from([]), stdout, stderr, env: {}, cwd: '.', signal };
  return { backend: memoryBackend(options), printer: new Printer(io, true), outcome: new Outcome(), stdout, stderr };
}

/** The lines that were printed, once all of them are. */
async function linesOf(stdout: PassThrough, printing: Promise<void>): Promise<Record<string, unknown>[]> {
  const told = text(stdout);
  await printing;
  stdout.end();
  return (await told)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('watch with a slow reader', () => {
  it('tells every state that was seen before it tells that the time is up', async () => {
    const clock = new VirtualClock();
    const session = stalled({ clock });
    const { backend, stdout, stderr, outcome } = session;
    const late = heard('timeout');
    const watching = watchAll(session, ['a'], { timeout: 0.1 });
    await awaited(backend, 'a');
    for (let percent = 1; percent <= 200; percent += 1) await progress(backend, 'a', percent);
    await clock.advance(100);
    await late;
    const said = await linesOf(stdout, watching);
    expect(said.map(({ result }) => result)).toEqual([...Array(200).keys(), 199].map((index) => index + 1));
    expect(said.map(({ error }) => error !== undefined).indexOf(true)).toBe(200);
    expect(outcome.code).toBe(3);
    expect(stderr.read()).toBeNull();
    await backend.close();
  });

  it('leaves out the oldest beyond 16 MiB, says so once, and never leaves out the result', async () => {
    const session = stalled();
    const { backend, stdout, stderr } = session;
    const settled = heard('wait');
    const watching = watchAll(session, ['a'], {});
    await awaited(backend, 'a');
    const note = 'x'.repeat(200_000);
    for (let index = 0; index < 100; index += 1) await progress(backend, 'a', { index, note });
    await succeed(backend, 'a', 'done');
    await settled;
    const said = await linesOf(stdout, watching);
    expect(said.pop()).toMatchObject({ status: 'SUCCESS', result: 'done' });
    const told = said.map(({ result }) => (result as { readonly index: number }).index);
    // The first was being printed.
    expect(told).toEqual([0, ...Array.from({ length: told.length - 1 }, (_, index) => 101 - told.length + index)]);
    expect(told).toHaveLength(1 + Math.floor((16 * 1024 * 1024) / 200_130));
    expect(String(stderr.read()).match(/left out/g)).toHaveLength(1);
    await backend.close();
  });
});

describe('unread lines', () => {
  /** Takes lines one at a time. */
  class Slow {
    readonly printed: string[] = [];
    take: () => void = () => undefined;

    print(line: string): Promise<void> {
      this.printed.push(line);
      return new Promise((resolve) => {
        this.take = resolve;
      });
    }
  }
  const limits = { lines: 3, bytes: 10 };

  it('are so many and no more, those that came last, and turns are kept', async () => {
    const reader = new Slow();
    let dropped = 0;
    const unread = new Unread(
      (line) => reader.print(line),
      limits,
      () => (dropped += 1),
    );
    const order: string[] = [];
    const turns = ['a', 'b', 'c', 'd', 'e', 'f'].map((line) => {
      unread.add(line);
      return unread.turn().then(() => order.push(`after ${line}, printed ${reader.printed.join('')}`));
    });
    while (order.length < turns.length) {
      reader.take();
      await new Promise(setImmediate);
    }
    expect(dropped).toBe(2);
    expect(reader.printed).toEqual(['a', 'd', 'e', 'f']);
    // Meanwhile the next one is being printed.
    expect(order).toEqual([
      'after a, printed ad',
      'after b, printed ad',
      'after c, printed ad',
      'after d, printed ade',
      'after e, printed adef',
      'after f, printed adef',
    ]);
  });

  it('are of so many bytes and no more, but that the newest is kept', async () => {
    const reader = new Slow();
    const unread = new Unread(
      (line) => reader.print(line),
      limits,
      () => undefined,
    );
    for (const line of ['a', 'ééé', '12345', 'x'.repeat(11)]) unread.add(line);
    const turn = unread.turn();
    for (let taken = 0; taken < 2; taken += 1) {
      reader.take();
      await new Promise(setImmediate);
    }
    await turn;
    expect(reader.printed).toEqual(['a', 'x'.repeat(11)]);
    // What was printed counts no more.
    for (const line of ['b', '12345', '12345']) unread.add(line);
    const rest = unread.turn();
    for (let taken = 0; taken < 3; taken += 1) {
      reader.take();
      await new Promise(setImmediate);
    }
    await rest;
    expect(reader.printed.slice(2)).toEqual(['b', '12345', '12345']);
  });

  it('that were dropped are let go of', () => {
    const reader = new Slow();
    const unread = new Unread(
      (line) => reader.print(line),
      { lines: 10, bytes: Infinity },
      () => undefined,
    );
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 2000; index += 1) unread.add(JSON.stringify(`${index}`.padEnd(50_000)));
    globalThis.gc?.();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
    unread.add('last');
  });

  it('that cannot be printed fail whoever has a turn, then and later', async () => {
    const error = new Error('gone');
    const unread = new Unread(
      () => Promise.reject(error),
      limits,
      () => undefined,
    );
    unread.add('a');
    unread.add('b');
    await expect(unread.turn()).rejects.toBe(error);
    unread.add('c');
    await expect(unread.turn()).rejects.toBe(error);
  });
});
