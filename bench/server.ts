/** A throw-away redis-server: a free port, a folder of its own, nothing kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Starts a server. It is gone when this process is. */
export async function startServer(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'celery-redis-bench-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = (): void => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', stop);
  await ready(server);
  return { port, stop };
}

async function ready(server: ChildProcess): Promise<void> {
  try {
    await once(server, 'spawn');
  } catch (error) {
    throw new Error('No redis-server on PATH: apt-get install redis-server, or brew install redis.', { cause: error });
  }
  let log = '';
  for await (const chunk of server.stdout ?? []) {
    log += String(chunk);
    if (/ready to accept connections/i.test(log)) break;
  }
  if (server.exitCode !== null) throw new Error(`redis-server did not start:\n${log}`);
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
