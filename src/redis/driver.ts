/** Puts the parts together: two connections, the store and the chords on one, the subscriber on the other. */
import type { Clock } from '../clock.ts';
import type { Warnings } from '../diagnostics.ts';
import { BackendError, ImproperlyConfigured } from '../errors.ts';
import type { Driver } from '../ports.ts';
import { RedisChords } from './chords.ts';
import type { GivenClient } from './client.ts';
import type { Caller } from './call.ts';
import { clientsOf } from './connect.ts';
import type { ClientFactory } from './connect.ts';
import type { CredentialsProvider } from './credentials.ts';
import { clientsLike } from './given.ts';
import type { RedisDefaults } from './options.ts';
import { RedisStore } from './store.ts';
import { RedisSubscriber } from './subscriber.ts';
import { maskHosts, parseTopology, type SentinelOptions } from './topology.ts';
import { wire, type Wiring } from './wiring.ts';

/** Settings of {@link createRedisDriver}. Durations are seconds. */
export interface RedisDriverOptions {
  /** See {@link parseTopology}. */
  readonly url?: string | undefined;
  /** Instead of a URL: a client whose options are used. It is itself never commanded, subscribed or closed. */
  readonly client?: GivenClient | undefined;
  readonly defaults?: RedisDefaults | undefined;
  /** For a URL of `sentinel://`. */
  readonly sentinel?: SentinelOptions | undefined;
  /** Asked before each connection; what the URL or the client says of user and password is dropped. */
  readonly credentials?: CredentialsProvider | undefined;
  /** How long one attempt to open the socket may take, TLS included. */
  readonly connectTimeout: number;
  /** How long a call may take, from its acceptance; a second more for each MiB that moves. */
  readonly commandTimeout: number;
  /** How long to rest between two PINGs. */
  readonly heartbeat: number;
  /** How long a PING, or the handshake, may go unanswered. */
  readonly deadAfter: number;
  /** Shown in CLIENT LIST after our own name. */
  readonly connectionName?: string | undefined;
  readonly warnings: Warnings;
  readonly clock: Clock;
}

/**
 * A driver for one Redis server, for the master that sentinels name, or for a cluster. Nothing is sent before the first use; the subscriber connects at the first wait.
 *
 * @throws ImproperlyConfigured
 */
export function createRedisDriver(options: RedisDriverOptions): RedisDriver {
  return new RedisDriver(options, clientFactory(options));
}

function clientFactory(given: RedisDriverOptions): ClientFactory {
  const { url, client, defaults, sentinel, connectTimeout, connectionName } = given;
  const options = { connectTimeoutMs: connectTimeout * 1000, connectionName };
  if (client && url !== undefined)
    throw new ImproperlyConfigured('client: expected either a client or a url; got both.');
  return client ? clientsLike(client, options) : clientsOf(parseTopology(url, defaults, sentinel), url, options);
}

/** A server that holds keys. */
export interface Master {
  /** Where it is: `'127.0.0.1:6379'`; for that of sentinels, how it is found. */
  readonly address: string;
  /** Any command but those of a subscriber, with texts for a reply. @throws BackendError */
  readonly call: (command: string, ...words: string[]) => Promise<unknown>;
}

/** The store on one connection, or one to each node of a cluster, the subscriber on another. All live from their first use until `close`. */
export class RedisDriver implements Driver {
  readonly store: RedisStore;
  readonly source: RedisSubscriber;
  readonly chords: RedisChords;
  readonly #clients: ClientFactory;
  readonly #clock: Clock;
  readonly #commands: Caller;
  readonly #wiring: Wiring;

  constructor(options: RedisDriverOptions, clients: ClientFactory) {
    this.#clients = clients;
    this.#clock = options.clock;
    this.#wiring = wire(options, clients);
    const { commands, subscriber } = this.#wiring;
    this.#commands = commands;
    this.store = new RedisStore(commands, options.warnings);
    this.chords = new RedisChords(commands, { atomic: !commands.isCluster });
    this.source = new RedisSubscriber(subscriber, options.warnings);
    for (const each of [commands, subscriber]) {
      each.onReady((first) => {
        this.source.connected(first);
      });
    }
  }

  /** Connects the command connection, anew where the link breaks meanwhile. Command: PING. @param timeout - seconds */
  async connect(timeout: number): Promise<void> {
    const deadlineMs = this.#clock.now() + timeout * 1000;
    for (;;) {
      const timeoutMs = deadlineMs - this.#clock.now();
      try {
        await this.#commands.run({ what: 'PING', key: null, timeoutMs, send: (client) => client.ping() });
        return;
      } catch (error) {
        const broke = error instanceof BackendError && error.code === 'CELERY_BACKEND_UNAVAILABLE';
        if (!broke || this.#clock.now() >= deadlineMs) throw error;
      }
    }
  }

  /** Milliseconds of a round trip. Command: PING. */
  async ping(): Promise<number> {
    const start = this.#clock.now();
    await this.#commands.run({ what: 'PING', key: null, send: (client) => client.ping() });
    return this.#clock.now() - start;
  }

  /**
   * Each server that holds keys: the one, or every master of a cluster. For those who look at the servers themselves;
   * results go by `store`. Command, of a cluster: CLUSTER SLOTS. @throws BackendError
   */
  async masters(): Promise<readonly Master[]> {
    return (await this.#wiring.masters()).map(({ address, connection }) => ({
      address,
      call: (command, ...words) =>
        connection.run({ what: command, key: null, send: (client) => client.call(command, ...words) }),
    }));
  }

  reconnects(): number {
    return this.#commands.reconnects + this.#wiring.subscriber.reconnects;
  }

  uri(includePassword: boolean): string {
    return includePassword ? this.#clients.url : maskHosts(this.#clients.url);
  }

  async close(graceMs?: number): Promise<void> {
    this.store.flush();
    await this.#wiring.close(graceMs);
  }
}
