/** A TCP proxy that keeps the order of bytes, and breaks links in every way a network can. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/** Which way bytes go. */
export type Direction = 'up' | 'down';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** How many were accepted before it. */
  readonly number: number;
}

/**
 * Forwards connections to a port of this machine.
 *
 * `hold` keeps the bytes of one or both directions, of the present and of later connections, and `release` lets them go;
 * nothing is ever dropped mid-stream, so that what arrives is a prefix of what was sent.
 */
export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #held = new Set<Direction>();
  /** Sockets that have passed what they may for now. */
  readonly #resting = new Set<Socket>();
  #bytesPerMs = Infinity;
  /** By the number of their connection. */
  readonly #frozen = new Map<number, ReadonlySet<Direction>>();
  #refusing = false;
  /** Bytes from the server to pass before the link is cut; `undefined` for no limit. */
  #cutAfter: number | undefined;
  /** How many connections were accepted. */
  accepted = 0;

  private constructor(target: number) {
    this.#server = createServer((client) => {
      this.#accept(client, target);
    });
  }

  /** Starts a proxy to a port. */
  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The port to connect to. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  /** `redis://127.0.0.1:<port>/0` */
  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Holds bytes back: without a direction, both ways, which is a half-open link. */
  hold(...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (['up', 'down'] as const)) this.#held.add(direction);
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /**
   * Holds bytes of one connection for good, both ways without a direction, while those after it are fine.
   *
   * @param number - how many were accepted before it; it may be yet to come
   */
  freeze(number: number, ...directions: Direction[]): void {
    this.#frozen.set(number, new Set(directions.length > 0 ? directions : ['up', 'down']));
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Lets bytes go that `hold` keeps. */
  release(): void {
    this.#held.clear();
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Passes no more than so many bytes a second, in each direction of each connection. Beyond that it reads none. */
  throttle(bytesPerSecond: number): void {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Closes every connection at once with RST. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  /** Cuts the next connection whose server has sent `bytes` bytes from now on, after exactly these. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes;
  }

  /** Whether new connections are hung up on at once. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #accept(client: Socket, target: number): void {
    client.on('error', () => undefined);
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(target, '127.0.0.1');
    const pair = { client, server, number: this.accepted };
    this.accepted += 1;
    this.#pairs.add(pair);
    server.on('error', () => undefined);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (!server.write(bytes)) client.pause();
      this.#rest(pair, client, bytes.length);
    });
    server.on('data', (bytes) => {
      this.#down(pair, bytes);
      this.#rest(pair, server, bytes.length);
    });
    for (const socket of [client, server]) {
      socket.on('drain', () => {
        this.#apply(pair);
      });
    }
    this.#apply(pair);
  }

  #down({ client, server }: Pair, bytes: Buffer): void {
    const limit = this.#cutAfter;
    if (limit === undefined || bytes.length < limit) {
      if (limit !== undefined) this.#cutAfter = limit - bytes.length;
      if (!client.write(bytes)) server.pause();
      return;
    }
    this.#cutAfter = undefined;
    server.pause();
    client.write(bytes.subarray(0, limit), () => {
      client.destroy();
    });
  }

  #rest(pair: Pair, from: Socket, bytes: number): void {
    if (this.#bytesPerMs === Infinity) return;
    from.pause();
    this.#resting.add(from);
    setTimeout(() => {
      this.#resting.delete(from);
      this.#apply(pair);
    }, bytes / this.#bytesPerMs);
  }

  #apply({ client, server, number }: Pair): void {
    const holds = (way: Direction, from: Socket): boolean =>
      this.#held.has(way) || this.#frozen.get(number)?.has(way) === true || this.#resting.has(from);
    if (holds('up', client) || server.writableNeedDrain) client.pause();
    else client.resume();
    if (holds('down', server) || client.writableNeedDrain) server.pause();
    else server.resume();
  }
}
