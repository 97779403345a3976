/**
 * Finds a dead link within seconds, the handshake included. ioredis's `socketTimeout` would destroy a slow but healthy
 * upload, and on 5.11.1 its timer outlives the connection; TCP keep-alive does nothing while bytes are unacknowledged.
 */
import type { Clock, Timer } from '../clock.ts';
import type { RedisStream } from './client.ts';
import { MIB, traffic } from './traffic.ts';

/** A silence is looked at so many times before it is judged, so that it lasts at most that part longer than it may. */
const LOOKS = 10;

/** How many times `deadAfter` a question may go unanswered while other bytes come. */
const PATIENCE = 2;

/** Settings of a {@link Watchdog}. */
export interface WatchdogOptions {
  readonly clock: Clock;
  /** How long to rest between an answer and the next PING. */
  readonly heartbeatMs: number;
  /**
   * How long silence may last while an answer is due, besides a second for each MiB that was sent without an answer. A tenth more
   * where other bytes came before it. While other bytes come the answer may take twice as long, besides a second for each MiB
   * of them.
   */
  readonly deadAfterMs: number;
  readonly ping: () => Promise<unknown>;
  /** Called once, after the stream was destroyed. */
  readonly onDead: (unansweredMs: number) => void;
}

/**
 * Watches one socket, for as long as that socket lives.
 *
 * ```
 * asking    something was asked, the handshake or one PING, and bytes must come
 * resting   the answer came, the next PING is due after a heartbeat
 * stopped   for good
 *
 * asking -> resting   the answer came
 * asking -> asking    other bytes came: the peer is alive, but busy; the silence begins anew
 * resting -> asking   after a heartbeat
 * asking -> stopped   no bytes for as long as an answer may take, or bytes without it for twice as long, as on a link that
 *                     is dead one way: the stream is destroyed
 * any -> stopped      stop()
 * ```
 */
export class Watchdog {
  readonly #stream: RedisStream;
  readonly #options: WatchdogOptions;
  #timer: Timer | undefined;
  #asking = false;
  #stopped = false;
  /** The bytes that had come when silence was last seen to begin. */
  #heard = 0;
  /** How long it may last. */
  #limitMs = 0;
  /** When it has lasted that long. */
  #deadAtMs = 0;
  /** When the answer has taken too long, whatever else has come but for its size; and what had come before the question. */
  #overdueAtMs = 0;
  #heardBefore = 0;

  constructor(stream: RedisStream, options: WatchdogOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** The handshake begins: its bytes must come. */
  start(): void {
    this.#ask();
  }

  /** The question was answered: the handshake is over, or a PING has its PONG. */
  answered(): void {
    if (this.#stopped) return;
    this.#asking = false;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#options.heartbeatMs, () => {
      this.#ping();
    });
  }

  /** The socket is gone. */
  stop(): void {
    this.#stopped = true;
    this.#asking = false;
    this.#timer?.cancel();
  }

  #ping(): void {
    this.#ask();
    const answered = (): void => {
      this.answered();
    };
    // A refusal is an answer too; when the link broke, `stop` comes as well.
    this.#options.ping().then(answered, answered);
  }

  #ask(): void {
    this.#asking = true;
    this.#listen();
    this.#heardBefore = this.#heard;
    this.#overdueAtMs = this.#options.clock.now() + PATIENCE * this.#limitMs;
  }

  /** Silence begins now. */
  #listen(): void {
    const { clock, deadAfterMs } = this.#options;
    this.#heard = this.#stream.bytesRead;
    this.#limitMs = deadAfterMs + (traffic(this.#stream) / MIB) * 1000;
    this.#deadAtMs = clock.now() + this.#limitMs;
    this.#arm();
  }

  #arm(): void {
    const { clock, deadAfterMs } = this.#options;
    this.#timer = clock.after(Math.min(this.#deadAtMs - clock.now(), deadAfterMs / LOOKS), () => {
      // After a stall of our own the answer may lie unread in the socket: look at it before judging.
      setImmediate(() => {
        this.#judge();
      });
    });
  }

  #judge(): void {
    if (!this.#asking) return;
    const now = this.#options.clock.now();
    const { bytesRead } = this.#stream;
    if (now >= this.#overdueAtMs + ((bytesRead - this.#heardBefore) / MIB) * 1000) this.#dead(PATIENCE * this.#limitMs);
    else if (bytesRead > this.#heard) this.#listen();
    else if (now < this.#deadAtMs) this.#arm();
    else this.#dead(this.#limitMs);
  }

  #dead(unansweredMs: number): void {
    this.stop();
    this.#stream.destroy();
    this.#options.onDead(unansweredMs);
  }
}
