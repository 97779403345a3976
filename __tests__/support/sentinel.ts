/** A throw-away master with a replica and three sentinels, each a process of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort, RedisServer } from './redis.ts';
import { findServer } from './require-redis.ts';

/** How the set-up is guarded, and what a sentinel's configuration has besides. */
export interface SentinelSetup {
  /** The password of master and replica. */
  readonly password?: string;
  /** The password of the sentinels. */
  readonly sentinelPassword?: string;
}

/** A running sentinel. */
export class SentinelServer {
  readonly port: number;
  readonly #folder: string;
  readonly #password: string | undefined;
  #process: ChildProcess | undefined;
  #admin: Redis | undefined;

  constructor(port: number, master: RedisServer, { password, sentinelPassword }: SentinelSetup) {
    this.port = port;
    this.#password = sentinelPassword;
    this.#folder = mkdtempSync(join(tmpdir(), 'celery-sentinel-'));
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${this.#folder}`,
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 2`,
      'sentinel down-after-milliseconds mymaster 1000',
      'sentinel failover-timeout mymaster 1000',
      ...(password === undefined ? [] : [`sentinel auth-pass mymaster ${password}`]),
      ...(sentinelPassword === undefined ? [] : [`requirepass ${sentinelPassword}`]),
    ];
    writeFileSync(join(this.#folder, 'sentinel.conf'), `${lines.join('\n')}\n`);
  }

  start(): void {
    const file = join(this.#folder, 'sentinel.conf');
    this.#process = spawn(findServer(), [file, '--sentinel'], { stdio: 'ignore' });
  }

  /** Sends one command; waits for the sentinel to come up. */
  cli(...words: [string, ...string[]]): Promise<unknown> {
    const [name, ...args] = words;
    this.#admin ??= admin(this.port, this.#password);
    return this.#admin.call(name, args);
  }

  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running?.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    this.#admin?.disconnect();
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The whole set-up. */
export class SentinelDeployment implements AsyncDisposable {
  readonly servers: readonly [RedisServer, RedisServer];
  readonly sentinels: readonly SentinelServer[];

  private constructor(servers: readonly [RedisServer, RedisServer], sentinels: readonly SentinelServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** Starts everything, and waits until the sentinels know one another and the replica. */
  static async start(setup: SentinelSetup = {}): Promise<SentinelDeployment> {
    const { password } = setup;
    const auth = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
    const fast = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
    const [master, replica] = await Promise.all([
      RedisServer.start([...auth, ...fast]),
      RedisServer.start([...auth, ...fast]),
    ]);
    await replica.cli('REPLICAOF', '127.0.0.1', master.port);
    await until(async () => String(await master.cli('INFO', 'replication')).includes('state=online'));
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const sentinels = ports.map((port) => new SentinelServer(port, master, setup));
    for (const sentinel of sentinels) sentinel.start();
    const deployment = new SentinelDeployment([master, replica], sentinels);
    await Promise.all(sentinels.map((sentinel) => until(() => settled(sentinel))));
    return deployment;
  }

  /** Behind `sentinel://`: the sentinels, with the login and database of the first. */
  url(login = '', db = 0): string {
    return this.sentinels
      .map(({ port }, index) => `sentinel://${index === 0 ? login : ''}127.0.0.1:${port}${index === 0 ? `/${db}` : ''}`)
      .join(';');
  }

  /** The server that the sentinels take for the master. */
  async master(): Promise<RedisServer> {
    const [sentinel] = this.sentinels;
    const reply = (await sentinel?.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')) as [string, string];
    const server = this.servers.find(({ port }) => port === Number(reply[1]));
    if (!server) throw new Error(`unknown master ${reply.join(':')}`);
    return server;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function admin(port: number, password: string | undefined): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    ...(password === undefined ? {} : { password }),
    retryStrategy: () => 20,
    disconnectTimeout: 100,
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
  });
  client.on('error', () => undefined);
  return client;
}

async function settled(sentinel: SentinelServer): Promise<boolean> {
  const flat: unknown = await sentinel.cli('SENTINEL', 'MASTER', 'mymaster').catch(() => null);
  const text = Array.isArray(flat) ? flat.join(' ') : JSON.stringify(flat);
  return /num-slaves\W+1\b/.test(text) && /num-other-sentinels\W+2\b/.test(text) && !text.includes('_down');
}

/** Looks again and again, at the pace of the answers, until it holds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}
