/** The command line without a server: exit codes, configuration, ids, and what is shown of waits. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { count, readConfig, seconds } from '../../../src/cli/config.ts';
import { EXIT, exitCodeOf, messageOf, UsageError, worse } from '../../../src/cli/exit-codes.ts';
import { readIds } from '../../../src/cli/ids.ts';
import { mapInOrder } from '../../../src/cli/in-order.ts';
import { Interruption, type Io, Printer } from '../../../src/cli/io.ts';
import { LiveDisplay, taskLine, totalLine } from '../../../src/cli/live.ts';
import { run } from '../../../src/cli/run.ts';
import {
  BackendError,
  BackendGetMetaError,
  DecodeError,
  ImproperlyConfigured,
  InvalidArgumentError,
  TimeoutError,
} from '../../../src/errors.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Streams in memory. */
function world(input = '', isTTY = false): Io & { readonly out: () => string; readonly err: () => string } {
  const terminal = { isTTY, columns: 60, rows: 24 };
  const [stdout, stderr] = [Object.assign(new PassThrough(), terminal), Object.assign(new PassThrough(), terminal)];
  const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '');
  return {
    stdin: Object.assign(Readable.from([input]), { isTTY }),
    stdout,
    stderr,
    env: {},
    cwd: folder,
    signal: new AbortController().signal,
    out: () => read(stdout),
    err: () => read(stderr),
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('exit codes', () => {
  it.each<[Error, number]>([
    [new UsageError('x'), 2],
    [new ImproperlyConfigured('x'), 2],
    [new InvalidArgumentError('x'), 2],
    [new TimeoutError('a', 1, 'unready'), 3],
    [new BackendError('x'), 4],
    [new DecodeError('x'), 4],
    [new TypeError('x'), 4],
  ])('of %p is %i', (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });

  it('of several outcomes are the worst', () => {
    const { success, failed, timeout, backend, usage } = EXIT;
    const order = [success, failed, timeout, backend, usage];
    for (const [index, one] of order.entries()) {
      for (const other of order.slice(index)) expect([worse(one, other), worse(other, one)]).toEqual([other, other]);
    }
  });

  it('are all in the guide', () => {
    const guide = readFileSync('docs/cli.md', 'utf8');
    const codes = [...guide.matchAll(/^\| `(\d+)` +\|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });

  it('come with a message that says why, and with the place of what is a defect', () => {
    const cause = new BackendError('Redis refused GET a: NOPERM');
    expect(messageOf(new BackendGetMetaError('Could not read a.', 'a', { cause }))).toBe(
      'Could not read a: Redis refused GET a: NOPERM',
    );
    expect(messageOf(new UsageError('expected an id.'))).toBe('expected an id.');
    expect(messageOf(new TypeError('x'))).toContain('command-line.test');
    expect(messageOf('x')).toBe('x');
  });
});

describe('the configuration', () => {
  const env = { CELERY_RESULT_BACKEND: 'redis://environment/0', CELERY_RESULT_SERIALIZER: 'yaml' };

  it('is that of flags, then the environment, then .env, then the defaults', () => {
    const file =
      'CELERY_RESULT_BACKEND=redis://file/0\nCELERY_REDIS_SOCKET_TIMEOUT=7\nCELERY_RESULT_SERIALIZER=msgpack\n';
    expect(readConfig({}, { env: {}, cwd: folder })).toEqual({
      url: 'redis://localhost:6379/0',
      options: { url: 'redis://localhost:6379/0', connectionName: 'cli' },
    });
    writeFileSync(join(folder, '.env'), file);
    expect(readConfig({ commandTimeout: 9 }, { env, cwd: folder }).options).toMatchObject({
      url: 'redis://environment/0',
      serializer: 'yaml',
      commandTimeout: 9,
    });
    expect(readConfig({ url: 'redis://flag/0' }, { env: {}, cwd: folder }).options).toMatchObject({
      url: 'redis://flag/0',
      serializer: 'msgpack',
      commandTimeout: 7,
    });
  });

  it('has no .env with --no-dotenv, and another with --dotenv, which must be there', () => {
    writeFileSync(join(folder, '.env'), 'CELERY_RESULT_BACKEND=redis://file/0\n');
    writeFileSync(join(folder, 'other'), 'CELERY_RESULT_BACKEND=redis://other/0\n');
    const at = { env: {}, cwd: folder };
    expect(readConfig({ dotenv: false }, at).url).toBe('redis://localhost:6379/0');
    expect(readConfig({ dotenv: 'other' }, at).url).toBe('redis://other/0');
    expect(() => readConfig({ dotenv: 'none' }, at)).toThrow('ENOENT');
  });

  it('takes no memory://, and numbers only where they belong', () => {
    expect(() => readConfig({ url: 'memory://' }, { env: {}, cwd: folder })).toThrow(UsageError);
    expect([seconds('--x')('0'), seconds('--x')('.5'), count('--x')('12')]).toEqual([0, 0.5, 12]);
    for (const text of ['', '-1', 'x', '1e9', 'Infinity']) expect(() => seconds('--x')(text)).toThrow('--x: expected');
    for (const text of ['', '0', '1.5', '-1']) expect(() => count('--x')(text)).toThrow('--x: expected');
  });
});

describe('ids', () => {
  it('are arguments, with the input in the place of -, each once', async () => {
    const wrong: string[] = [];
    const ids = await all(readIds(['a', '-', 'd'], world('b\tSUCCESS\r\n\n a\nc\u0001\n'), (text) => wrong.push(text)));
    expect(ids).toEqual(['a', 'b', 'd']);
    expect(wrong).toEqual([expect.stringContaining('control character')]);
  });

  it('are needed, unless - asks for an input that is empty', async () => {
    await expect(all(readIds([], world(), () => undefined))).rejects.toThrow(UsageError);
    await expect(all(readIds([], world('a', true), () => undefined))).rejects.toThrow(UsageError);
    await expect(all(readIds(['-'], world(), () => undefined))).resolves.toEqual([]);
  });

  it('are never URLs, which are not shown', async () => {
    const reading = all(readIds(['redis://:secret@host'], world(), () => undefined));
    await expect(reading).rejects.toThrow(/^(?!.*secret).*--url/);
  });
});

describe('mapInOrder', () => {
  it('tells what is done in order, at most so many at a time, and does not wait for a slow source', async () => {
    const settle: (() => void)[] = [];
    let underWay = 0;
    let most = 0;
    const map = async (item: number): Promise<number> => {
      most = Math.max(most, (underWay += 1));
      await new Promise<void>((done) => settle.push(done));
      underWay -= 1;
      return item * 2;
    };
    const source = new PassThrough({ objectMode: true });
    const mapped = mapInOrder(source as AsyncIterable<number>, 2, map);
    for (const item of [1, 2, 3]) source.write(item);
    const first = mapped.next();
    while (settle.length < 2) await new Promise(setImmediate);
    settle[1]?.();
    settle[0]?.();
    // The source goes on: nothing told that it has ended.
    expect([await first, await mapped.next()].map(({ value }) => value)).toEqual([2, 4]);
    const third = mapped.next();
    while (settle.length < 3) await new Promise(setImmediate);
    settle[2]?.();
    source.end();
    expect([(await third).value, (await mapped.next()).done, most]).toEqual([6, true, 2]);
  });
});

describe('what is shown of waits', () => {
  const shown = { taskId: 'task-1', status: 'STARTED', value: '', progress: undefined };

  it('is a line each, no longer than the terminal is wide', () => {
    expect(taskLine(shown, 80)).toBe('task-1  STARTED');
    expect(taskLine({ ...shown, status: 'PROGRESS', value: '1 of 4', progress: 0.25 }, 80)).toMatch(
      /^task-1 {2}PROGRESS █{6}░{18} 1 of 4$/,
    );
    expect(taskLine({ ...shown, value: 'x'.repeat(100) }, 40)).toMatch(/^task-1 {2}STARTED .*…$/);
    expect(taskLine({ ...shown, value: 'x'.repeat(100) }, 40)).toHaveLength(40);
    expect(totalLine(1, 2)).toBe(`${'█'.repeat(12)}${'░'.repeat(12)} 1 of 2 ready`);
    expect(totalLine(0, 0)).toContain('0 of 0 ready');
  });

  it('is bounded in lines, first those that are under way, and is gone in the end', async () => {
    const io = world('', true);
    const printer = new Printer(io, false);
    const display = new LiveDisplay(printer, io.stdout);
    for (let index = 0; index < 50; index += 1) display.add(`task-${index}`);
    display.seen('task-49', { status: 'PROGRESS', result: { current: 3, total: 4 } });
    display.remove('task-0');
    await printer.line('task-0 is ready');
    printer.note('something');
    display.close();
    const text = io.out();
    expect(text).toContain('task-0 is ready\n');
    expect(text).toContain('something\n');
    expect(text).toContain('1 of 50 ready');
    expect(text).toMatch(/task-49 {2}PROGRESS █{18}░{6} 3 of 4/);
    expect(text).not.toContain('task-12 ');
    expect(text.endsWith('\u001b[0J')).toBe(true);
    await printer.line('after');
    expect(io.out()).toBe('after\n');
  });
});

describe('run', () => {
  it('ends with 2 for wrong usage, and with 0 for help', async () => {
    const io = world();
    expect(await run(['get', 'a', '--url', 'http://x'], io)).toBe(2);
    expect(io.err()).toContain('celery-result: url: expected');
    expect(await run([], io)).toBe(2);
    expect(await run(['--help'], io)).toBe(0);
    expect(io.out()).toContain('Exit codes:');
  });

  it('ends with the code of an interruption', async () => {
    const io = { ...world(), signal: AbortSignal.abort(new Interruption(130)) };
    expect(await run(['get', 'a', '--url', 'redis://127.0.0.1:1', '--connect-timeout', '0.01'], io)).toBe(130);
  });
});
