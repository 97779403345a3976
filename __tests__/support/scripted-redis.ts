/** A server that speaks RESP and answers what a test says: for replies that no redis-server can be made to give. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** Answers a command by a reply as it is on the wire, without the last CRLF; `undefined` = as any Redis would. */
export type Answer = (command: readonly string[]) => string | undefined;

/** Enough of one for a handshake and a watchdog. Knows no RESP3. */
export class ScriptedRedis implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What it answers from now on. */
  answer: Answer = () => undefined;

  private constructor() {
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  /** Starts one on a free port. */
  static async start(): Promise<ScriptedRedis> {
    const redis = new ScriptedRedis();
    redis.#server.listen(0, '127.0.0.1');
    await once(redis.#server, 'listening');
    return redis;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  /** `redis://127.0.0.1:<port>/0` */
  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    let unread = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      const { commands, rest } = parse(unread + text);
      unread = rest;
      for (const command of commands) socket.write(`${this.answer(command) ?? usual(command)}\r\n`, 'latin1');
    });
  }
}

/** As Redis 5 does. */
function usual([name = '']: readonly string[]): string {
  switch (name.toUpperCase()) {
    case 'HELLO':
      return `-ERR unknown command \`${name}\``;
    case 'PING':
      return '+PONG';
    case 'INFO':
      return bulk('redis_version:5.0.0\r\nredis_mode:standalone\r\nloading:0\r\n');
    default:
      return '+OK';
  }
}

/** A text as a bulk string. */
export function bulk(text: string): string {
  return `$${text.length}\r\n${text}`;
}

/** The whole commands at the beginning of what came in. */
function parse(text: string): { readonly commands: string[][]; readonly rest: string } {
  const commands: string[][] = [];
  let rest = text;
  for (;;) {
    const command: string[] = [];
    const head = /^\*(\d+)\r\n/.exec(rest);
    let at = head?.[0].length ?? 0;
    for (let left = Number(head?.[1] ?? 0); left > 0; left -= 1) {
      const length = /^\$(\d+)\r\n/.exec(rest.slice(at, at + 16));
      const from = at + (length?.[0].length ?? 0);
      at = from + Number(length?.[1]) + 2;
      if (!length || at > rest.length) return { commands, rest };
      command.push(rest.slice(from, at - 2));
    }
    if (!head) return { commands, rest };
    commands.push(command);
    rest = rest.slice(at);
  }
}
