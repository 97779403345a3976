/** A TCP proxy that keeps the order of bytes, and breaks connections in every way a network can. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Random } from '../sim/random.ts';

/** Which way bytes go: to the server, or from it. */
export type Way = 'up' | 'down';

/** Bytes at the head of a chunk that come in small pieces; all of them would be too many packets. */
const PIECED = 96;

const PING = Buffer.from('ping', 'latin1');
const PONG = Buffer.from('PONG', 'latin1');

/** Milliseconds that a server goes on sending without any acknowledgement. */
const UNACKNOWLEDGED_MS = 300;

/** What holds for all connections of a link, present and to come. */
interface Mood {
  readonly held: Set<Way>;
  delayMs: number;
  pieces: boolean;
}

/**
 * One way of one connection. Bytes leave in the order in which they came, none is left out; when the connection ends,
 * what has left is a prefix of what was sent.
 */
class Pipe {
  readonly #to: Socket;
  readonly #way: Way;
  readonly #mood: Mood;
  readonly #random: Random;
  readonly #queue: { readonly bytes: Buffer; readonly at: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #silent = false;
  #left = Infinity;
  #onSpent: (() => void) | undefined;
  #busy = false;

  constructor(from: Socket, to: Socket, way: Way, mood: Mood, random: Random) {
    this.#to = to;
    this.#way = way;
    this.#mood = mood;
    this.#random = random;
    from.on('data', (bytes: Buffer) => {
      this.#queue.push({ bytes, at: performance.now() });
      this.pump();
    });
  }

  /** Nothing passes any more, for good. */
  silence(): void {
    this.#silent = true;
  }

  /** Lets so many more bytes pass, and none after them. */
  limit(bytes: number, onSpent: () => void): void {
    this.#left = bytes;
    this.#onSpent = onSpent;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#silent = true;
  }

  /** Passes on what may pass now. */
  pump(): void {
    const { delayMs, held } = this.#mood;
    while (!this.#busy && !this.#silent && !held.has(this.#way)) {
      const [head] = this.#queue;
      if (!head) return;
      const early = head.at + delayMs - performance.now();
      if (early > 0) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.pump();
        }, early);
        return;
      }
      this.#queue.shift();
      this.#pass(head.bytes);
    }
  }

  #pass(bytes: Buffer): void {
    if (bytes.length >= this.#left) {
      this.#silent = true;
      this.#to.write(bytes.subarray(0, this.#left), () => this.#onSpent?.());
      return;
    }
    this.#left -= bytes.length;
    if (this.#mood.pieces) this.#passPieces(bytes, 0);
    else this.#to.write(bytes);
  }

  /** The rest waits for the event loop, so that the pieces arrive as such. */
  #passPieces(bytes: Buffer, from: number): void {
    if (from >= Math.min(bytes.length, PIECED)) {
      this.#to.write(bytes.subarray(from));
      this.#busy = false;
      this.pump();
      return;
    }
    this.#busy = true;
    const to = from + this.#random.int(1, 9);
    this.#to.write(bytes.subarray(from, to));
    setImmediate(() => {
      if (!this.#to.destroyed) this.#passPieces(bytes, to);
    });
  }
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly up: Pipe;
  readonly down: Pipe;
}

/** A proxy to a port of this machine. */
export class Link {
  readonly #server: Server;
  readonly #target: number;
  readonly #random: Random;
  readonly #pairs = new Set<Pair>();
  readonly #mood: Mood = { held: new Set(), delayMs: 0, pieces: false };
  #refusing = 0;
  #hanging = 0;
  /** How often a connection was attempted. */
  attempts = 0;
  #askedAt = 0;
  #answeredAt = 0;

  private constructor(target: number, seed: number) {
    this.#target = target;
    this.#random = new Random(seed);
    this.#server = createServer((client) => {
      this.#accept(client);
    });
  }

  /** Starts a proxy. */
  static async start(target: number, seed: number): Promise<Link> {
    const link = new Link(target, seed);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  /** The port to connect to. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Whether a PING has passed whose PONG has not. */
  get asked(): boolean {
    return this.#askedAt > this.#answeredAt;
  }

  /** Ends every connection: properly, or with RST. */
  cut(reset: boolean): void {
    for (const { client, server } of this.#pairs) {
      if (reset) {
        client.resetAndDestroy();
        server.resetAndDestroy();
      } else {
        client.destroy();
        server.destroy();
      }
    }
  }

  /** Cuts each connection after exactly so many more bytes of the server. Resolves when the first is. */
  cutAfter(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#pairs.size === 0) resolve();
      for (const { client, server, down } of this.#pairs) {
        down.limit(bytes, () => {
          client.resetAndDestroy();
          server.destroy();
          resolve();
        });
        client.once('close', () => {
          resolve();
        });
      }
    });
  }

  /**
   * From now on nothing passes through the present connections that way; new ones are well. What is never acknowledged
   * is not sent for long: without a way up the one down ends soon.
   */
  silence(ways: readonly Way[]): void {
    for (const pair of this.#pairs) {
      for (const way of ways) pair[way].silence();
      if (!ways.includes('down'))
        setTimeout(() => {
          pair.down.silence();
        }, UNACKNOWLEDGED_MS);
    }
  }

  /** Holds all bytes back, of present and later connections, until they are let go. */
  hold(ways: readonly Way[]): void {
    for (const way of ways) this.#mood.held.add(way);
  }

  release(): void {
    this.#mood.held.clear();
    this.#pump();
  }

  /** New connections are accepted, and nothing comes back over them, ever. */
  hang(on: boolean): void {
    this.#hanging += on ? 1 : -1;
  }

  /** New connections are hung up on. */
  refuse(on: boolean): void {
    this.#refusing += on ? 1 : -1;
  }

  /** Bytes take so much longer. */
  delay(ms: number): void {
    this.#mood.delayMs = ms;
    this.#pump();
  }

  /** Bytes come in small pieces. */
  pieces(on: boolean): void {
    this.#mood.pieces = on;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut(false);
    await closed;
  }

  #pump(): void {
    for (const { up, down } of this.#pairs) {
      up.pump();
      down.pump();
    }
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    this.attempts += 1;
    if (this.#refusing > 0) {
      client.resetAndDestroy();
      return;
    }
    client.setNoDelay();
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    server.on('error', () => undefined);
    const up = new Pipe(client, server, 'up', this.#mood, this.#random);
    const down = new Pipe(server, client, 'down', this.#mood, this.#random);
    const pair = { client, server, up, down };
    client.on('data', (bytes: Buffer) => {
      if (bytes.includes(PING)) this.#askedAt = performance.now();
    });
    server.on('data', (bytes: Buffer) => {
      if (bytes.includes(PONG)) this.#answeredAt = performance.now();
    });
    if (this.#hanging > 0) up.silence();
    this.#pairs.add(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('close', () => {
        this.#pairs.delete(pair);
        up.stop();
        down.stop();
        to.destroy();
      });
    }
  }
}
