/** Calls to a Redis Cluster: one connection to each of its masters. */
import type { Clock } from '../clock.ts';
import { BackendClosedError, BackendError } from '../errors.ts';
import { Pauses } from '../pauses.ts';
import { asking } from './asking.ts';
import type { Call, Caller, ConnectionState, ReadyListener } from './call.ts';
import type { ClusterMap } from './cluster-map.ts';
import { unavailable } from './errors.ts';
import { slotOf } from './slots.ts';
import type { Address } from './topology.ts';

/** Settings of a {@link ClusterConnection}. */
export interface ClusterConnectionOptions {
  /** Where the cluster is, for messages. */
  readonly address: string;
  readonly map: ClusterMap;
  /** How long a call may take, from its acceptance: redirections and waiting for a node included. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Where a node sends us for one call. */
interface Hop {
  readonly to: Address;
  /** Whether for this call only, since the slot is still moving. */
  readonly ask: boolean;
}

/** How long to wait for a node before looking again at which node it is. */
const NODE_PATIENCE_MS = 250;
const SHORT_PAUSE_MS = 50;
/** Redirections that are followed at once. */
const MAX_HOPS = 5;

/**
 * Finds the node of each call by its key, follows redirections, and waits while a slot has no node that can be reached.
 * Each node has a {@link Connection} of its own, with its watchdog, so that a hung node fails its own calls only. What
 * may have reached a node is never sent again from here; what cannot have is, until its deadline.
 *
 * The states are those of a {@link Connection}: `connecting` until the first map of the slots is there, then `ready`
 * unless no master can be reached.
 */
export class ClusterConnection implements Caller {
  readonly isCluster: boolean = true;
  readonly #options: ClusterConnectionOptions;
  readonly #map: ClusterMap;
  readonly #pauses: Pauses;
  #closing: Promise<void> | undefined;

  constructor(options: ClusterConnectionOptions) {
    this.#options = options;
    this.#map = options.map;
    this.#pauses = new Pauses(options.clock);
  }

  /** See {@link ClusterConnection}. */
  get state(): ConnectionState {
    return this.#closing ? 'closed' : this.#map.state;
  }

  /** Who the connections log in as, for messages. */
  get user(): string {
    return this.#map.user;
  }

  /** How often a connection to a node was made anew. */
  get reconnects(): number {
    return this.#map.reconnects;
  }

  /** Calls `listener` when the cluster is known, when a node is there or back, and when slots or nodes have moved. */
  onReady(listener: ReadyListener): void {
    this.#map.onReady(listener);
  }

  /**
   * Makes one call, on the node that has its key.
   *
   * @throws BackendError `CELERY_BACKEND_UNAVAILABLE` without an answer, `CELERY_BACKEND_REFUSED` when it is an error
   * @throws BackendClosedError
   */
  async run<T>(call: Call<T>): Promise<T> {
    const { clock } = this.#options;
    const untilMs = clock.now() + (call.timeoutMs ?? this.#options.timeoutMs);
    let hop: Hop | undefined;
    for (let hops = 0; ; hops += 1) {
      if (this.#closing) throw new BackendClosedError();
      const attempt = await this.#attempt(call, hop, untilMs);
      if ('value' in attempt) return attempt.value;
      hop = attempt.hop;
      const leftMs = untilMs - clock.now();
      if (leftMs <= 0) throw attempt.error;
      if (!hop || hops % MAX_HOPS === MAX_HOPS - 1) await this.#pauses.wait(Math.min(leftMs, SHORT_PAUSE_MS));
    }
  }

  /** Closes: rejects what was not sent yet, and waits for what is in flight, `graceMs` at the most. Idempotent. */
  close(graceMs?: number): Promise<void> {
    this.#closing ??= this.#map.close(graceMs);
    this.#pauses.close();
    return this.#closing;
  }

  /** One try: its value, or where to try next and what to throw when there is no time to. */
  async #attempt<T>(
    call: Call<T>,
    hop: Hop | undefined,
    untilMs: number,
  ): Promise<{ readonly value: T } | { readonly hop: Hop | undefined; readonly error: BackendError }> {
    const { clock } = this.#options;
    let sent = false;
    let asked: Address | undefined;
    try {
      const node = hop ? this.#map.node(hop.to) : await this.#find(call, untilMs - clock.now());
      asked = node.address;
      await node.connection.whenReady(Math.min(Math.max(0, untilMs - clock.now()), NODE_PATIENCE_MS));
      sent = true;
      const send: Call<T>['send'] = hop?.ask ? (client) => call.send(asking(client)) : call.send;
      return { value: await node.connection.run({ ...call, send, timeoutMs: Math.max(0, untilMs - clock.now()) }) };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      const next = this.#next(call, error, sent, asked);
      // A node that redirects a call has not made it.
      return { hop: next, error: sent && !next ? error : this.#unreached(call, error) };
    }
  }

  /** @throws BackendError when no node serves the slot of the key, for now */
  async #find(call: Call<unknown>, leftMs: number): Promise<ReturnType<ClusterMap['node']>> {
    const node = await this.#map.find(call.key === null ? null : slotOf(call.key), leftMs);
    if (node) return node;
    this.#map.refreshSoon();
    throw unavailable('no node serves its slot');
  }

  /** Where to send a call that failed, `undefined` for the node of its slot. @throws the error that is the call's own */
  #next(call: Call<unknown>, error: BackendError, sent: boolean, asked: Address | undefined): Hop | undefined {
    const redirection = /^(MOVED|ASK) (\d+) (\S+)/.exec(
      error.reply && error.cause instanceof Error ? error.cause.message : '',
    );
    if (redirection && asked) {
      const [, kind, slot, text = ''] = redirection;
      const to = this.#map.addressFrom(text, asked);
      if (kind === 'MOVED') this.#map.moved(Number(slot), to);
      return { to, ask: kind === 'ASK' };
    }
    if (error.reply === 'CLUSTERDOWN' || error.reply === 'TRYAGAIN') {
      this.#map.refreshSoon();
      return undefined;
    }
    if (this.#closing) throw error;
    const again = error.code === 'CELERY_BACKEND_UNAVAILABLE' || error instanceof BackendClosedError;
    if (again) this.#map.refreshSoon();
    // A node that has left the cluster is closed under the calls that wait for it.
    if (again && !sent) return undefined;
    throw error instanceof BackendClosedError
      ? unavailable(`The link to a node of the ${this.#options.address} was closed during ${call.what}.`)
      : error;
  }

  #unreached(call: Call<unknown>, error: BackendError): BackendError {
    return unavailable(
      `${call.what} could not be sent to the ${this.#options.address}: ${error.message}`,
      error.cause instanceof Error ? error.cause : undefined,
    );
  }
}
