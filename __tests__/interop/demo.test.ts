import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningService } from '../support/compose.ts';

const FIGURE = String.raw`\d+\.\d\d ms`;
const RESULTS = new RegExp(`200 results, from store to awake: median ${FIGURE}, p99 ${FIGURE}`);

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-demo-test-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the demo with a temporary folder of its own. @param path - what PATH is for it */
function runDemo(path = process.env['PATH'] ?? ''): RunningService {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo.ts'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: path, TMPDIR: folder },
  });
  return new RunningService(child);
}

/** What the demo left in its temporary folder; tsx keeps a cache there. */
function leftBehind(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('celery-redis'));
}

/** Whether the Redis that a demo told of still takes connections. */
async function takesConnections({ output }: RunningService): Promise<boolean> {
  const [, port] = /redis:\/\/127\.0\.0\.1:(\d+)/.exec(output) ?? [];
  const socket = connect(Number(port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Asks until the Redis of a demo is there, or is gone: a killed process lingers for a moment. */
async function becomes(up: boolean, demo: RunningService): Promise<boolean> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    if ((await takesConnections(demo)) === up) return true;
  }
  return false;
}

describe('the demo', () => {
  it('tells of states, a failure and figures from two processes on a Redis of its own, and leaves nothing', async () => {
    const demo = runDemo();
    expect([await demo.left(), demo.output]).toEqual([0, expect.any(String)]);
    expect(demo.output).toContain('on a Redis of their own');
    expect(demo.output).toContain('PROGRESS  { percent: 80 }');
    expect(demo.output).toContain('SUCCESS   { total: 42 }');
    expect(demo.output).toContain('FAILURE   RemoteError CELERY_TASK_FAILED, a CardDeclined: the card was declined');
    expect(demo.output).toMatch(RESULTS);
    expect(demo.output).toContain('answered from the cache');
    expect(leftBehind()).toEqual([]);
    expect(await becomes(false, demo)).toBe(true);
  });

  it('runs in memory where there is no Redis, and says so', async () => {
    const demo = runDemo(join(folder, 'nothing'));
    expect([await demo.left(), demo.output]).toEqual([0, expect.any(String)]);
    expect(demo.output).toContain('No redis-server on PATH');
    expect(demo.output).toMatch(RESULTS);
  });

  it('stops its Redis and removes its folder when it is interrupted', async () => {
    const demo = runDemo();
    await once(demo.process.stdout ?? demo.process, 'data');
    expect(leftBehind()).toHaveLength(1);
    expect(await becomes(true, demo)).toBe(true);
    demo.process.kill('SIGINT');
    expect(await demo.left()).toBe(130);
    expect(leftBehind()).toEqual([]);
    expect(await becomes(false, demo)).toBe(true);
  });
});
