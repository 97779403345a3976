/** What people see: the built program on a terminal of its own, which `script` makes. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { tmpdir } from 'node:os';
import { RedisBackend } from '../../src/index.ts';
import { startOnTerminal } from '../support/cli.ts';
import { RedisServer } from '../support/redis.ts';

// Each run is a process of its own, which has to load Node and the package.
jest.setTimeout(240_000);

let server: RedisServer;
let backend: RedisBackend;

beforeAll(async () => {
  server = await RedisServer.start();
  backend = new RedisBackend({}, { url: server.url });
});
afterAll(async () => {
  await backend.close();
  await server.stop();
});
beforeEach(async () => {
  await server.cli('FLUSHALL');
});

const start = (
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ReturnType<typeof startOnTerminal> =>
  startOnTerminal(words, { cwd: tmpdir(), env: { CELERY_RESULT_BACKEND: server.url, ...env } });

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

describe('on a terminal', () => {
  it('wait shows a bar and the states of those that are not ready, results above, and clears it in the end', async () => {
    const waiting = start(['wait', 'a', 'b']);
    await waiting.until('0 of 2 ready');
    await waiting.until('a  PENDING');
    await backend.storeResult('a', { current: 1, total: 4 }, 'PROGRESS');
    await waiting.until('1 of 4');
    await backend.storeResult('a', 'done', 'SUCCESS');
    await waiting.until('1 of 2 ready');
    await waiting.until('a\t\u001b[32mSUCCESS\u001b[39m\t"done"');
    await backend.storeResult('b', 'done', 'SUCCESS');
    const { code, out } = await waiting.ended;
    expect(code).toBe(0);
    expect(out).toContain('b\t\u001b[32mSUCCESS\u001b[39m\t"done"');
    expect(out).toContain(HIDE_CURSOR);
    expect(out.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(out.lastIndexOf('of 2 ready'));
    expect(out).not.toContain('undefined');
  });

  it('an interrupt gives the cursor back', async () => {
    const waiting = start(['watch', 'a']);
    await waiting.until('0 of 1 ready');
    const listed = (await server.clients()).filter(({ name }) => name.endsWith(':cli'));
    expect(listed.length).toBeGreaterThan(0);
    // What a terminal makes of Ctrl-C goes to the program, not to script.
    waiting.process.stdin?.write('\u0003');
    const { code, out } = await waiting.ended;
    expect(code).toBe(130);
    expect(out.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(out.lastIndexOf(HIDE_CURSOR));
  });

  it('has no bar with --no-progress, with --json, and where the terminal is dumb', async () => {
    await backend.storeResult('a', 1, 'SUCCESS');
    for (const [words, env] of [
      [['--no-progress'], {}],
      [['--json'], {}],
      [[], { TERM: 'dumb' }],
    ] as const) {
      const { code, out } = await start(['wait', 'a', ...words], env).ended;
      expect([code, out.includes(HIDE_CURSOR)]).toEqual([0, false]);
    }
  });

  it('has no colours with NO_COLOR', async () => {
    await backend.storeResult('a', 1, 'SUCCESS');
    expect((await start(['status', 'a'], { NO_COLOR: '1' }).ended).out).toBe('a\tSUCCESS\r\n');
    expect((await start(['status', 'a']).ended).out).toBe('a\t\u001b[32mSUCCESS\u001b[39m\r\n');
  });

  it('get shows what else is known, traceback and all, without control characters of its own', async () => {
    const request = { id: 'a', task: 'shop.price\u001b[2J', hostname: 'celery@host' };
    const extended = new RedisBackend({}, { url: server.url, extended: true });
    await extended.storeResult('a', new Error('x'), 'FAILURE', { request, traceback: 'line 1\n  line\u001b[2J 2' });
    await extended.close();
    const { code, out } = await start(['get', 'a'], { NO_COLOR: '1' }).ended;
    expect(code).toBe(1);
    expect(out).toContain('shop.price\\u001b[2J');
    expect(out).toContain('celery@host');
    expect(out).toContain('line\\u001b[2J 2');
    expect(out).not.toContain('\u001b');
  });

  it('without ids is wrong usage: it does not wait for someone to type', async () => {
    expect((await start(['get']).ended).code).toBe(2);
  });

  it('doctor prints a check in a few lines', async () => {
    const { out } = await start(['doctor'], { NO_COLOR: '1' }).ended;
    expect(out).toMatch(/ok {6}eviction: maxmemory-policy noeviction.*\r\n {8}no result is dropped/);
  });
});
