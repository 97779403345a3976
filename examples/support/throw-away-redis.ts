/** A Redis server for a demonstration: on a free port, in a temporary folder, gone afterwards. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';

/** A running server. */
export class ThrowAwayRedis {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(url: string, folder: string, process: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#process = process;
  }

  /** Starts a server that takes connections when this resolves; `undefined` when there is none on PATH. */
  static async start(): Promise<ThrowAwayRedis | undefined> {
    const binary = ['redis-server', 'valkey-server'].map(onPath).find((file) => file !== undefined);
    if (binary === undefined) return undefined;
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'celery-redis-demo-'));
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
    // Detached: Ctrl-C goes to every process of the terminal, and it is stop() that ends the server.
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    const redis = new ThrowAwayRedis(`redis://127.0.0.1:${port}/0`, folder, child);
    const stop = (): void => {
      redis.stop();
    };
    process.once('exit', stop);
    try {
      await isReady(child);
    } catch (error) {
      stop();
      throw error;
    } finally {
      process.off('exit', stop);
    }
    // It keeps no process waiting; stop() ends it.
    child.unref();
    return redis;
  }

  /** Ends the server, at once, and removes its folder. */
  stop(): void {
    this.#process.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Resolves when the server says that it takes connections. */
async function isReady(child: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  await once(child, 'spawn');
  let log = '';
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    log += text as string;
    if (!log.includes('Ready to accept connections')) continue;
    // Read on, so that the pipe never fills, and let go of it.
    child.stdout.resume();
    if (child.stdout instanceof Socket) child.stdout.unref();
    return;
  }
  throw new Error(`redis-server left: ${log}`);
}

function onPath(name: string): string | undefined {
  const files = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
