/** One server that keeps what it was told when it is killed, and a proxy for each connection of each process. */
import { Redis } from 'ioredis';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackendOptions } from '../../src/index.ts';
import type { FixedOptions, RedisClient } from '../../src/redis/client.ts';
import { RedisServer } from '../support/redis.ts';
import { PATTERN } from './history.ts';
import { Link } from './link.ts';
import { type FaultPlan, type Plan, PROCESSES } from './plan.ts';
import { type Stage, Turns, valuesOf } from './stage.ts';

/** The user that backends are: what is done to it is not done to those who watch. */
const USER = 'app';
/** Replies reach clients after the log, so that what was acknowledged survives SIGKILL. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'no', '--aof-use-rdb-preamble', 'no'];
const LINKS = ['commands', 'subscriber'];
/** Between two looks at whether a server has loaded its data. */
const LOADING_PAUSE_MS = 10;

export class Standalone implements Stage {
  readonly links: readonly (readonly Link[])[];
  readonly servers: readonly [RedisServer];
  readonly #server: RedisServer;
  /** A server is killed, stopped and started by one fault at a time. */
  readonly #turns = new Turns();

  private constructor(server: RedisServer, links: readonly (readonly Link[])[]) {
    this.#server = server;
    this.servers = [server];
    this.links = links;
  }

  static async start({ seed, muted }: Plan): Promise<Standalone> {
    const channels = muted ? [] : ['&*'];
    const user = ['--user', USER, 'on', `>${USER}`, '~*', 'resetchannels', ...channels, '+@all'];
    const server = await RedisServer.start([...DURABLE, ...user]);
    const link = (_: unknown, i: number): Promise<Link> => Link.start(server.port, seed + i);
    const links = Array.from({ length: PROCESSES }, () => Promise.all(LINKS.map(link)));
    return new Standalone(server, await Promise.all(links));
  }

  /** Made by hand, since each connection goes another way. */
  client(by: number): NonNullable<BackendOptions['client']> {
    const login = { host: '127.0.0.1', username: USER, password: USER };
    const given = {
      options: { ...login, port: this.#server.port, db: 0 },
      arget: () => undefined,
      duplicate: (fixed: FixedOptions): RedisClient => {
        const role = LINKS.indexOf(fixed.connectionName.split(':')[1] ?? '');
        const port = this.links[by]?.[role]?.port;
        if (port === undefined) throw new Error(`no proxy for ${fixed.connectionName}`);
        return new Redis({ ...fixed, ...login, port });
      },
    };
    return given;
  }

  async act(fault: FaultPlan): Promise<readonly number[]> {
    await this.#act(fault);
    return [...LINKS.keys()];
  }

  keys(): Promise<Map<string, string>> {
    return valuesOf(this.#server, PATTERN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.links.flat().map((link) => link.stop()));
    await this.#server.stop();
  }

  async #act({ kind, length, pick }: FaultPlan): Promise<void> {
    switch (kind) {
      case 'killClients':
        await this.#tell('CLIENT', 'KILL', 'USER', USER, 'TYPE', pick % 2 === 0 ? 'pubsub' : 'normal');
        break;
      case 'pauseClients':
        await this.#tell('CLIENT', 'PAUSE', length, pick % 2 === 0 ? 'WRITE' : 'ALL');
        await delay(length);
        break;
      case 'flushScripts':
        await this.#tell('SCRIPT', 'FLUSH');
        break;
      case 'oom':
        await this.#for(length, ['CONFIG', 'SET', 'maxmemory', 1], ['CONFIG', 'SET', 'maxmemory', 0]);
        break;
      case 'readonly':
        await this.#for(length, ['REPLICAOF', '127.0.0.1', 1], ['REPLICAOF', 'NO', 'ONE']);
        break;
      case 'overflow': {
        const limit = (bytes: number): [string, ...string[]] => {
          return ['CONFIG', 'SET', 'client-output-buffer-limit', `pubsub ${bytes} 0 0`];
        };
        await this.#for(length, limit(20_000), limit(32 * 2 ** 20));
        break;
      }
      case 'acl':
        await this.#for(length, ['ACL', 'SETUSER', USER, 'resetchannels'], ['ACL', 'SETUSER', USER, 'allchannels']);
        break;
      case 'stop':
      case 'restart':
      case 'wipe':
        await this.#turns.take(() => this.#down(kind, length));
        break;
      default:
        throw new Error(`there is no ${kind} of one server`);
    }
  }

  async #for(
    ms: number,
    begin: [string, ...(string | number)[]],
    end: [string, ...(string | number)[]],
  ): Promise<void> {
    await this.#tell(...begin);
    await delay(ms);
    await this.#tell(...end);
  }

  /** A command of those who watch, once a server that was started again has loaded its data. */
  async #tell(...words: [string, ...(string | number)[]]): Promise<void> {
    for (;;) {
      try {
        await this.#server.cli(...words);
        return;
      } catch (error) {
        if (!String(error).includes('LOADING')) throw error;
        await delay(LOADING_PAUSE_MS);
      }
    }
  }

  async #down(kind: 'stop' | 'restart' | 'wipe', length: number): Promise<void> {
    const server = this.#server;
    if (kind === 'stop') {
      server.pause();
      await delay(length);
      server.resume();
      return;
    }
    await server.kill();
    if (kind === 'wipe') rmSync(join(server.folder, 'appendonlydir'), { recursive: true, force: true });
    await delay(length / 2);
    await server.restart();
  }
}
