/** What a Redis server is told, and by whom. */
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { RedisServer } from './redis.ts';

/** One command, as MONITOR shows it. */
export interface Command {
  /** In capitals. */
  readonly name: string;
  readonly args: readonly string[];
  /** The client's address. */
  readonly source: string;
}

/** The commands of a server from now on. Ended with its block. */
export class Monitor implements AsyncDisposable {
  readonly commands: Command[] = [];
  readonly #server: RedisServer;
  readonly #client: Redis;
  readonly #waiting = new Set<() => void>();

  private constructor(server: RedisServer, client: Redis) {
    this.#server = server;
    this.#client = client;
    client.on('monitor', (_time: string, words: readonly string[], source: string) => {
      const [name = '', ...args] = words;
      this.commands.push({ name: name.toUpperCase(), args, source });
      for (const look of [...this.#waiting]) look();
    });
  }

  static async start(server: RedisServer): Promise<Monitor> {
    return new Monitor(server, await server.admin().monitor());
  }

  /** The commands that name a key or channel, of one client or of all. */
  about(key: string, source?: string): readonly string[] {
    return this.commands
      .filter((command) => command.args.includes(key) && (source === undefined || command.source === source))
      .map(({ name }) => name);
  }

  /** Resolves once it has seen all that the server did before: what it tells comes later than what it answers. */
  async caughtUp(): Promise<void> {
    const marker = randomUUID();
    await this.#server.admin().echo(marker);
    await this.until(({ args }) => args.includes(marker));
  }

  /** Resolves with the first command that is so, seen or to come. */
  until(condition: (command: Command) => boolean): Promise<Command> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.commands.find(condition);
        if (!found) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect();
    return Promise.resolve();
  }
}
