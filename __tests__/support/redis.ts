/**
 * Throw-away Redis servers: each on a free port of the loopback interface, with a folder of its own.
 *
 * A file of tests starts its own, so that it may break it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findServer } from './require-redis.ts';

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A running server. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #folder: string;
  #process: ChildProcess | undefined;
  #admin: Redis | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
    this.#folder = mkdtempSync(join(tmpdir(), 'celery-redis-'));
  }

  /** Starts a server and waits until it answers. @param args - further arguments, as on its command line */
  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), args);
    await server.restart();
    return server;
  }

  /** `redis://127.0.0.1:<port>/0` */
  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Its folder, where its socket and files may be. */
  get folder(): string {
    return this.#folder;
  }

  /**
   * Starts the server again on the same port, after `kill`. Resolves when it answers, be it that it loads its data.
   *
   * @param args - arguments for this run only
   */
  async restart(args: readonly string[] = []): Promise<void> {
    const own = ['--port', String(this.port), '--dir', this.#folder, '--bind', '127.0.0.1'];
    const fixed = ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes'];
    this.#process = spawn(findServer(), [...own, ...fixed, ...this.#args, ...args], { stdio: 'ignore' });
    await this.cli('PING').catch((error: unknown) => {
      if (!String(error).includes('LOADING')) throw error;
    });
  }

  /**
   * Sends one command over a plain client, which waits for the server to come up.
   *
   * @returns the reply, with texts as strings
   */
  async cli(...words: [string, ...(string | number | Buffer)[]]): Promise<unknown> {
    const [name, ...args] = words;
    return this.admin().call(name, args);
  }

  /** The plain client of `cli`, which logs in as the default user. */
  admin(): Redis {
    if (this.#admin) return this.#admin;
    const at = this.#args.indexOf('--requirepass');
    const password = at === -1 ? undefined : this.#args[at + 1];
    const admin = new Redis({
      port: this.port,
      host: '127.0.0.1',
      ...(password === undefined ? {} : { password }),
      connectionName: 'admin',
      disconnectTimeout: 100,
      retryStrategy: () => 10,
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
    });
    admin.on('error', () => undefined);
    this.#admin = admin;
    return admin;
  }

  /** The names and kinds of the connections of others, by CLIENT LIST. */
  async clients(): Promise<{ name: string; id: string; sub: string }[]> {
    const list = String(await this.cli('CLIENT', 'LIST'));
    return list
      .trim()
      .split('\n')
      .map((line) => new Map(line.split(' ').map((field) => field.split('=', 2) as [string, string])))
      .map((fields) => ({
        name: fields.get('name') ?? '',
        id: fields.get('id') ?? '',
        sub: fields.get('sub') ?? '',
      }))
      .filter(({ name }) => name !== 'admin');
  }

  /** Stops the process, as swap or a hung disk would: connections stay open, nothing answers. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  /** Ends `pause`. */
  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Kills the server; nothing it held is left. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running?.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill('SIGKILL');
    await gone;
  }

  /** Ends the server and removes its folder. */
  async stop(): Promise<void> {
    this.#admin?.disconnect();
    this.#admin = undefined;
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
