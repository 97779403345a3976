/** A model of the network: connections that keep the order of what is sent, and break. */
import type { Command, Frame, Node } from './server.ts';
import type { PathPlan } from './plan.ts';
import type { Process, World } from './world.ts';

/** The client's end of a connection. */
export interface Peer {
  receive(frames: readonly Frame[]): void;
  /** The connection broke, and the client knows. */
  broken(): void;
}

/** The way between one process and the server. */
export class Path {
  readonly #world: World;
  /** Milliseconds from one end to the other: at least, and how much more. */
  readonly #latency: number;
  readonly #jitter: number;
  /** Milliseconds more for what comes in to the subscriber; below 0, to the commands. */
  readonly #lag: number;
  /** Milliseconds more, while the link is slow. */
  slowness = 0;
  /** New connections are refused. */
  refusing = false;
  /** New connections get no answer at all. */
  black = false;
  /** The next connection is accepted, and nothing on it is ever answered. */
  hanging = false;
  /** All that were ever made, the present ones included. */
  readonly connections: Connection[] = [];

  constructor(world: World, [latency, jitter, lag]: PathPlan) {
    this.#world = world;
    this.#latency = latency;
    this.#jitter = jitter;
    this.#lag = lag;
  }

  /** How long something sent now takes. */
  delay(): number {
    return this.#latency + this.#world.random.int(0, this.#jitter) + this.slowness;
  }

  /** The same for what comes in. */
  delayIn(role: string): number {
    return this.delay() + Math.max(0, role === 'subscriber' ? this.#lag : -this.#lag);
  }
}

/** Which way nothing gets through. */
export type Silence = 'both' | 'to server' | 'to client';

/** One connection. What is sent over it arrives in order, or not at all. */
export class Connection {
  readonly name: string;
  readonly user: string;
  readonly role: string;
  readonly #world: World;
  readonly #process: Process;
  readonly #path: Path;
  readonly #node: Node;
  readonly #peer: Peer;
  #batch: { at: number; frames: Frame[] } | undefined;
  /** When the last thing sent arrives, each way. */
  #lastOut = 0;
  #lastIn = 0;
  #deafOut = false;
  #deafIn = false;
  readonly #heldOut: Command[] = [];
  readonly #heldIn: Frame[] = [];
  /** When the client last heard anything but a PONG. */
  heardAt: number | undefined;
  /** Each end's opinion. */
  open = true;
  #serverOpen = true;

  constructor(world: World, process: Process, path: Path, node: Node, role: string, peer: Peer) {
    this.#world = world;
    this.#process = process;
    this.#path = path;
    this.#node = node;
    this.#peer = peer;
    this.role = role;
    this.user = process.name;
    path.connections.push(this);
    this.name = `${process.name}.${role}.${path.connections.length}`;
    node.connections.add(this);
  }

  /** Whether it was silenced, so that the ends may disagree for ever. */
  get silent(): boolean {
    return this.#deafOut || this.#deafIn;
  }

  /** The channels that the server has for it. */
  channels(): string[] {
    return this.#node.channelsOf(this);
  }

  /** The client sends a command. */
  send(command: Command): void {
    this.#lastOut = Math.max(this.#lastOut, this.#world.now + this.#path.delay());
    this.#world.at(this.#lastOut, () => {
      if (!this.#serverOpen) return;
      if (this.#deafOut) this.#heldOut.push(command);
      else this.#node.take(this, command);
    });
  }

  /** The server sends a frame. */
  push(frame: Frame): void {
    if (!this.#serverOpen) return;
    this.#lastIn = Math.max(this.#lastIn, this.#world.now + this.#path.delayIn(this.role));
    if (this.#batch?.at === this.#lastIn) {
      // One read of the socket.
      this.#batch.frames.push(frame);
      return;
    }
    const batch = { at: this.#lastIn, frames: [frame] };
    this.#batch = batch;
    this.#process.receive(batch.at, () => {
      if (this.#batch === batch) this.#batch = undefined;
      if (!this.open) return;
      if (this.#deafIn) {
        this.#heldIn.push(...batch.frames);
        return;
      }
      if (batch.frames.some((each) => each.kind === 'message' || each.value !== 'PONG')) this.heardAt = this.#world.now;
      this.#peer.receive(batch.frames);
    });
  }

  /** Breaks, at each end in its time: what arrives until then is heard, what does not is lost. */
  cut(clientAt: number, serverAt: number): void {
    this.#world.at(serverAt, () => {
      this.#closeServer();
    });
    this.#process.receive(clientAt, () => {
      if (!this.open) return;
      this.open = false;
      this.#peer.broken();
    });
  }

  /** Lets nothing through any more. */
  silence(which: Silence): void {
    if (which !== 'to client') this.#deafOut = true;
    if (which !== 'to server') this.#deafIn = true;
  }

  /** Lets everything through again, first what was held. */
  heal(): void {
    this.#deafOut = this.#deafIn = false;
    // First, so that what is answered now comes after it even in a process that stalls.
    const frames = this.#heldIn.splice(0);
    if (frames.length > 0)
      this.#process.receive(this.#world.now, () => {
        if (this.open) this.#peer.receive(frames);
      });
    for (const command of this.#heldOut.splice(0)) if (this.#serverOpen) this.#node.take(this, command);
  }

  /** The client closes its end. The server hears of it last, if it hears at all. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    if (this.#deafOut) return;
    this.#world.at(Math.max(this.#lastOut, this.#world.now + this.#path.delay()), () => {
      if (!this.#deafOut) this.#closeServer();
    });
  }

  #closeServer(): void {
    this.#serverOpen = false;
    this.#node.drop(this);
  }
}
