/** A model of a Redis server, with the commands that a result backend sends. */
import type { Connection } from './network.ts';
import type { World } from './world.ts';

/** A command as it is sent. */
export interface Command {
  readonly name: string;
  readonly args: readonly (string | Buffer)[];
}

/** What goes from the server to a client. */
export type Frame =
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'message'; readonly channel: string; readonly payload: Buffer };

/** Something that happened to a key. */
export interface KeyEvent {
  readonly at: number;
  readonly what: 'set' | 'kept' | 'gone' | 'read';
  /** The status and the token of the payload: see {@link describePayload}. */
  readonly status: string;
  readonly token: string;
  /** Who asked for it. */
  readonly by: string;
  readonly expiresAt: number;
}

interface Entry {
  readonly payload: Buffer;
  readonly expiresAt: number;
}

/** What a payload says: its status, and the number that tells its store from all others. */
export function describePayload(payload: string): { readonly status: string; readonly token: string } {
  return {
    status: /^\{"status": ?"([^"]*)"/.exec(payload)?.[1] ?? '?',
    token: /#(\d+)#/.exec(payload)?.[1] ?? '?',
  };
}

/** An error reply. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

const READONLY = "READONLY You can't write against a read only replica.";
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";

/** Names of the scripts of src/redis/scripts.ts as commands: which one, and of how many keys. */
const WRITE = /^celeryWrite(Unguarded|Compared|\d+)For(\d+)$/;

/** One server: keys, channels, and moods. */
export class Node {
  readonly #world: World;
  readonly #log: Map<string, KeyEvent[]>;
  readonly #data = new Map<string, Entry>();
  readonly #subscribers = new Map<string, Set<Connection>>();
  readonly connections: Set<Connection> = new Set<Connection>();
  /** What came in while the server stood still. */
  readonly #held: (() => void)[] = [];
  #pausedUntil = 0;
  /** Refuses writes: it is a replica now. */
  readonly = false;
  /** Refuses writes for want of memory. */
  full = false;
  /** Refuses everything but the handshake until then: a script of somebody else's runs and runs. */
  busyUntil = 0;
  /** Refuses everything but subscriptions until then. */
  loadingUntil = 0;
  /** Users that may not publish, or not subscribe. */
  readonly muted: Set<string>;
  readonly deafened: Set<string>;

  constructor(world: World, log: Map<string, KeyEvent[]>, muted: Set<string>, deafened: Set<string>) {
    this.#world = world;
    this.#log = log;
    this.muted = muted;
    this.deafened = deafened;
  }

  /** The new master, with all that this one has. */
  promote(): Node {
    const node = new Node(this.#world, this.#log, this.muted, this.deafened);
    for (const [key, entry] of this.#data) node.#data.set(key, entry);
    this.readonly = true;
    return node;
  }

  /** The channels that a connection is subscribed to. */
  channelsOf(connection: Connection): string[] {
    return [...this.#subscribers].filter(([, members]) => members.has(connection)).map(([channel]) => channel);
  }

  /** Stands still until then: what comes in waits in its sockets. */
  pause(until: number): void {
    this.#pausedUntil = until;
    this.#world.at(until, () => {
      for (const run of this.#held.splice(0)) run();
    });
  }

  /** Forgets every key. */
  wipe(): void {
    for (const key of this.#data.keys()) this.#note(key, 'gone', '', 'the server');
    this.#data.clear();
  }

  /** The server's end of a connection is gone. */
  drop(connection: Connection): void {
    this.connections.delete(connection);
    for (const [channel, members] of this.#subscribers) {
      if (members.delete(connection) && members.size === 0) this.#subscribers.delete(channel);
    }
  }

  /** Takes a command in, now or when the server goes on. */
  take(connection: Connection, command: Command): void {
    if (this.#pausedUntil > this.#world.now) {
      this.#held.push(() => {
        this.take(connection, command);
      });
      return;
    }
    const value = this.#answer(connection, command);
    if (value instanceof ReplyError) this.#world.record(connection.name, `${label(command)} <- ${value.message}`);
    connection.push({ kind: 'reply', value });
  }

  #answer(connection: Connection, { name, args }: Command): unknown {
    const [key = ''] = args.map(String);
    if (this.busyUntil > this.#world.now && name !== 'INFO') {
      return new ReplyError('BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.');
    }
    if (this.loadingUntil > this.#world.now && !name.endsWith('SUBSCRIBE')) {
      return new ReplyError('LOADING Redis is loading the dataset in memory');
    }
    switch (name) {
      case 'PING':
      case 'INFO':
        return 'PONG';
      case 'GET':
        return this.#read(connection, key);
      case 'MGET':
        return args.map((each) => this.#read(connection, String(each)));
      case 'DEL':
        return this.#remove(connection, key);
      case 'SUBSCRIBE':
        return this.#subscribe(connection, key);
      case 'UNSUBSCRIBE':
        return this.#unsubscribe(connection, key);
      default:
        return this.#script(connection, name, args);
    }
  }

  #read(connection: Connection, key: string): Buffer | null {
    const entry = this.#get(key);
    const payload = entry?.payload ?? null;
    const { status, token } = describePayload(String(payload));
    this.#world.record(connection.name, `GET ${key} -> ${entry ? `${status} #${token}` : 'null'}`);
    return payload;
  }

  #get(key: string): Entry | undefined {
    const entry = this.#data.get(key);
    if (!entry || entry.expiresAt > this.#world.now) return entry;
    this.#data.delete(key);
    return undefined;
  }

  #remove(connection: Connection, key: string): number | ReplyError {
    if (this.readonly) return new ReplyError(READONLY);
    this.#note(key, 'gone', '', connection.name);
    return this.#data.delete(key) ? 1 : 0;
  }

  #subscribe(connection: Connection, channel: string): number | ReplyError {
    if (this.deafened.has(connection.user)) return new ReplyError('NOPERM No permissions to access a channel');
    const members = this.#subscribers.get(channel) ?? new Set();
    this.#subscribers.set(channel, members.add(connection));
    this.#world.record(connection.name, `SUBSCRIBE ${channel}`);
    return members.size;
  }

  #unsubscribe(connection: Connection, channel: string): number {
    const members = this.#subscribers.get(channel);
    if (members?.delete(connection) && members.size === 0) this.#subscribers.delete(channel);
    this.#world.record(connection.name, `UNSUBSCRIBE ${channel}`);
    return 0;
  }

  /** Runs a script of writes in one step. Its reply is one text: the outcomes of its keys. */
  #script(connection: Connection, name: string, args: readonly (string | Buffer)[]): string {
    const [, script, count] = WRITE.exec(name) ?? [];
    if (script === undefined) throw new Error(`the model does not know ${name}`);
    const keys = args.slice(0, Number(count)).map(String);
    const values = args.slice(keys.length);
    if (keys.length > 1) this.#world.record(connection.name, `${name} of ${keys.join(' ')}`);
    const outcomes = keys.map((key, i) => {
      const [payload = '', ttl = ''] = values.slice(2 * i).map(String);
      const outcome = this.#check(connection, script, key, payload, values[2]);
      if (outcome !== undefined) return outcome;
      return this.#store(connection, key, payload, ttl === '' ? Infinity : this.#world.now + Number(ttl) * 1000);
    });
    return outcomes.join(';;');
  }

  /** What keeps a key from being written, if anything does. */
  #check(
    connection: Connection,
    script: string,
    key: string,
    payload: string,
    expected: string | Buffer | undefined,
  ): number | string | undefined {
    const present = this.#get(key);
    if (script === 'Compared') {
      const same = expected === undefined ? !present : present?.payload.equals(Buffer.from(expected)) === true;
      if (!same) return 3;
    } else if (script !== 'Unguarded' && present && describePayload(present.payload.toString()).status === 'SUCCESS') {
      this.#note(key, 'kept', payload, connection.user);
      return 0;
    }
    if (this.readonly) return READONLY;
    return this.full ? OOM : undefined;
  }

  #store(connection: Connection, key: string, payload: string, expiresAt: number): number {
    const bytes = Buffer.from(payload);
    this.#data.set(key, { payload: bytes, expiresAt });
    this.#note(key, 'set', payload, connection.user, expiresAt);
    if (this.muted.has(connection.user)) return 2;
    for (const member of this.#subscribers.get(key) ?? [])
      member.push({ kind: 'message', channel: key, payload: bytes });
    return 1;
  }

  #note(key: string, what: KeyEvent['what'], payload: string, by: string, expiresAt = Infinity): void {
    const { status, token } = describePayload(payload);
    this.#world.record(by, what === 'gone' ? `${key} is gone` : `${key} ${what} ${status} #${token}`);
    const events = this.#log.get(key) ?? [];
    events.push({ at: this.#world.now, what, status, token, by, expiresAt });
    this.#log.set(key, events);
  }
}

function label({ name, args }: Command): string {
  return `${name} ${String(args[0] ?? '')}`;
}
