/** A model of an ioredis client, over the model network, as far as src/redis/client.ts describes one. */
import type {
  ClientOptions,
  FixedOptions,
  GivenClient,
  RedisClient,
  RedisPipeline,
  RedisSocket,
} from '../../src/redis/client.ts';
import { Connection, type Path, type Peer } from './network.ts';
import { type Command, type Frame, type Node, ReplyError } from './server.ts';
import type { Process, World } from './world.ts';

/** Where clients find the master, or nothing. */
export interface Address {
  master: Node;
  downUntil: number;
}

interface Pending {
  readonly command: Command;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

type Listener = (...args: never[]) => void;

/** How often the handshake asks a server that loads its data. */
const LOADING_POLL_MS = 200;
/** How long `disconnect` waits for the other end. */
const DISCONNECT_MS = 100;

/** A client to be duplicated, as a user hands it over. */
export function givenClient(world: World, process: Process, path: Path, address: Address): GivenClient {
  const given = {
    options: { host: 'model', port: 6379, db: 0 },
    arget: () => undefined,
    duplicate: (options: FixedOptions): RedisClient => new ModelClient(world, process, path, address, options),
  };
  return given;
}

class ModelClient implements RedisClient, Peer {
  readonly options: ClientOptions = {};
  readonly #world: World;
  readonly #process: Process;
  readonly #path: Path;
  readonly #address: Address;
  readonly #options: FixedOptions;
  readonly #role: string;
  readonly #listeners = new Map<string, Listener[]>();
  #status: 'wait' | 'connecting' | 'connect' | 'ready' | 'end' = 'wait';
  #connection: Connection | undefined;
  #stream: (RedisSocket & { writable: boolean; bytesRead: number }) | undefined;
  #pending: Pending[] = [];
  /** What ioredis would subscribe to again by itself. */
  readonly #channels = new Set<string>();
  #timer: { cancel(): void } | undefined;

  constructor(world: World, process: Process, path: Path, address: Address, options: FixedOptions) {
    this.#world = world;
    this.#process = process;
    this.#path = path;
    this.#address = address;
    this.#options = options;
    this.#role = options.connectionName.split(':')[1] ?? '';
  }

  get stream(): RedisSocket {
    if (!this.#stream) throw new TypeError('there is no stream before the first connect');
    return this.#stream;
  }

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }

  connect(): Promise<void> {
    const life = {
      writable: true,
      bytesRead: 0,
      writableLength: 0,
      destroy: () => {
        this.#destroy(life);
      },
      // What comes here comes one by one.
      on: () => undefined,
      prependListener: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
    };
    this.#stream = life;
    this.#status = 'connecting';
    const { black, refusing } = this.#path;
    if (black) {
      this.#timer = this.#process.after(this.#options.connectTimeout, () => {
        this.#fail(life, 'ETIMEDOUT');
      });
      return Promise.resolve();
    }
    const at = this.#world.now + 2 * this.#path.delay();
    this.#process.receive(at, () => {
      if (this.#stream !== life || !life.writable) return;
      if (refusing || this.#address.downUntil > this.#world.now) this.#fail(life, 'ECONNREFUSED');
      else this.#connected();
    });
    return Promise.resolve();
  }

  disconnect(): void {
    const { stream } = this;
    if (!this.#stream?.writable) return;
    this.#stream.writable = false;
    this.#timer?.cancel();
    // The other end closes as soon as it hears of it; or the wait for that is over.
    const ms = this.#connection?.silent === false ? Math.min(DISCONNECT_MS, 2 * this.#path.delay()) : DISCONNECT_MS;
    this.#timer = this.#process.after(ms, () => {
      if (this.#stream === stream) this.#end();
    });
  }

  defineCommand(name: string): void {
    Object.assign(this, { [name]: (...args: (string | Buffer)[]) => this.#send(name, args) });
  }

  ping(): Promise<string> {
    return this.#send('PING', []) as Promise<string>;
  }

  getBuffer(key: string): Promise<Buffer | null> {
    return this.#send('GET', [key]) as Promise<Buffer | null>;
  }

  mgetBuffer(keys: string[]): Promise<(Buffer | null)[]> {
    return this.#send('MGET', keys) as Promise<(Buffer | null)[]>;
  }

  info(section: string): Promise<string> {
    return this.#send('INFO', [section]) as Promise<string>;
  }

  set(): never {
    throw new Error('the model has no SET');
  }

  setex(): never {
    throw new Error('the model has no SETEX');
  }

  expire(): never {
    throw new Error('the model has no EXPIRE');
  }

  incrby(): never {
    throw new Error('the model has no INCRBY');
  }

  call(command: string): never {
    throw new Error(`the model has no ${command}`);
  }

  callBuffer(command: string): never {
    throw new Error(`the model has no ${command}`);
  }

  del(key: string): Promise<number> {
    return this.#send('DEL', [key]) as Promise<number>;
  }

  pipeline(): RedisPipeline {
    const commands: [name: string, channel: string][] = [];
    return {
      subscribe: (channel) => commands.push(['SUBSCRIBE', channel]),
      unsubscribe: (channel) => commands.push(['UNSUBSCRIBE', channel]),
      exec: () =>
        Promise.all(
          commands.map(([name, channel]) =>
            this.#send(name, [channel]).then(
              (reply): [null, unknown] => {
                if (name === 'SUBSCRIBE') this.#channels.add(channel);
                else this.#channels.delete(channel);
                return [null, reply];
              },
              (error: unknown): [Error, undefined] => [error as Error, undefined],
            ),
          ),
        ),
    };
  }

  receive(frames: readonly Frame[]): void {
    if (!this.#stream) return;
    for (const frame of frames) {
      this.#stream.bytesRead += 1;
      if (frame.kind === 'message') {
        this.#emit('messageBuffer', Buffer.from(frame.channel), frame.payload);
        continue;
      }
      const pending = this.#pending.shift();
      if (!pending) throw new Error('a reply to nothing');
      if (frame.value instanceof ReplyError) pending.reject(frame.value);
      else pending.resolve(frame.value);
    }
  }

  broken(): void {
    const life = this.#stream;
    if (!life?.writable) return;
    life.writable = false;
    // The socket knows it before its events say so.
    this.#process.receive(this.#world.now, () => {
      if (this.#stream === life) this.#end();
    });
  }

  #destroy(life: { writable: boolean }): void {
    if (this.#stream !== life || this.#status === 'end') return;
    life.writable = false;
    process.nextTick(() => {
      if (this.#stream === life) this.#end();
    });
  }

  #fail(life: { writable: boolean }, code: string): void {
    if (this.#stream !== life || !life.writable) return;
    life.writable = false;
    this.#emit('error', Object.assign(new Error(`connect ${code}`), { code }));
    process.nextTick(() => {
      if (this.#stream === life) this.#end();
    });
  }

  #connected(): void {
    this.#status = 'connect';
    this.#connection = new Connection(this.#world, this.#process, this.#path, this.#address.master, this.#role, this);
    if (this.#path.hanging) {
      this.#path.hanging = false;
      this.#connection.silence('both');
    }
    process.nextTick(() => {
      this.#emit('connect');
    });
    this.#shakeHands();
  }

  #shakeHands(): void {
    const life = this.#stream;
    const answered = (): void => {
      if (this.#stream !== life || !life?.writable) return;
      this.#status = 'ready';
      if (this.#options.autoResubscribe as boolean) this.#resubscribe();
      process.nextTick(() => {
        this.#emit('ready');
      });
    };
    const refused = (): void => {
      if (this.#stream !== life || !life?.writable) return;
      this.#timer = this.#process.after(LOADING_POLL_MS, () => {
        this.#shakeHands();
      });
    };
    this.#exchange('INFO', []).then(answered, refused);
  }

  /** As ioredis does it: what was subscribed once, and nobody looks at the confirmations. */
  #resubscribe(): void {
    for (const channel of this.#channels) this.#exchange('SUBSCRIBE', [channel]).catch(() => undefined);
  }

  #send(name: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    if (this.#status !== 'ready' || !this.#stream?.writable) {
      return Promise.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
    }
    return this.#exchange(name, args);
  }

  #exchange(name: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const command = { name, args };
      this.#pending.push({ command, resolve, reject });
      this.#connection?.send(command);
    });
  }

  #end(): void {
    if (this.#status === 'end') return;
    this.#status = 'end';
    this.#timer?.cancel();
    this.#connection?.close();
    this.#connection = undefined;
    if (this.#stream) this.#stream.writable = false;
    for (const { reject } of this.#pending.splice(0)) reject(new Error('Connection is closed.'));
    process.nextTick(() => {
      this.#emit('end');
    });
  }

  #emit(event: string, ...args: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) (listener as (...args: unknown[]) => void)(...args);
  }
}
