/** Results as keys of Redis. */
import type { Warnings } from '../diagnostics.ts';
import type { ResultStore, StoreOutcome, SuccessGuard, Write } from '../ports.ts';
import type { Connection } from './connection.ts';
import { unavailable } from './errors.ts';
import {
  CHANGED,
  COMPARED_WRITE,
  KEPT,
  UNANNOUNCED,
  UNGUARDED_WRITE,
  UNKNOWN,
  probedWrite,
  runScript,
} from './scripts.ts';
import type { Script } from './scripts.ts';

/** The most keys of one MGET. */
const MAX_KEYS = 100;
/** How often a value may change under a write without a probe. Each change is another writer's success. */
const MAX_ROUNDS = 100;

interface Read {
  readonly key: string;
  readonly resolve: (payload: Buffer | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The commands of a result backend, over one connection.
 *
 * Each call has the connection's deadline. Commands of one caller are sent in the order of its calls.
 */
export class RedisStore implements ResultStore {
  readonly #connection: Connection;
  readonly #warnings: Warnings;
  readonly #scripts = new Map<string, Script>();
  /** Reads asked for in this tick. */
  #reads: Read[] = [];

  constructor(connection: Connection, warnings: Warnings) {
    this.#connection = connection;
    this.#warnings = warnings;
  }

  get usable(): boolean {
    return this.#connection.state !== 'lost' && this.#connection.state !== 'refused';
  }

  /**
   * The stored bytes, `null` when there is no such key. Commands: GET, or one MGET for up to 100 reads of one tick. A key
   * of another type is an error by GET, and reads as `null` in an MGET, as Redis has it.
   */
  read(key: string): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      this.#reads.push({ key, resolve, reject });
      if (this.#reads.length > 1) return;
      // After everything else that runs in this turn: microtasks first, then the ticks they queued.
      queueMicrotask(() => {
        process.nextTick(() => {
          this.#flush();
        });
      });
    });
  }

  /** The same for many keys, in their order. */
  readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return Promise.all(keys.map((key) => this.read(key)));
  }

  /**
   * Unless the guard finds a SUCCESS: sets the key and publishes the same bytes, in one step. Commands: EVALSHA (EVAL at
   * first), in it those of the probe, GETRANGE, SETEX or SET, PUBLISH. Without a probe, or when it cannot tell: GET, and
   * another script with GET. Without a guard: SETEX or SET, PUBLISH.
   *
   * @throws BackendError with `reply` `'WRONGTYPE'` when the key holds something that is no result; it is left alone
   */
  async write(write: Write): Promise<StoreOutcome> {
    const outcome = await this.#write(write);
    if (outcome === KEPT) return 'kept';
    if (outcome !== UNANNOUNCED) return 'stored';
    this.#warnings.warn(
      'CELERY_UNANNOUNCED',
      `Results are stored, but this Redis user may not publish (${write.key}): those who wait find them late. ` +
        'Allow the channels: ACL SETUSER ... &celery-task-meta-*',
    );
    return 'unannounced';
  }

  /** Deletes the key. Command: DEL. */
  async remove(key: string): Promise<void> {
    await this.#connection.run({ what: `DEL ${key}`, send: (client) => client.del(key) });
  }

  #flush(): void {
    const reads = this.#reads;
    this.#reads = [];
    for (let from = 0; from < reads.length; from += MAX_KEYS) void this.#fetch(reads.slice(from, from + MAX_KEYS));
  }

  async #fetch(reads: readonly Read[]): Promise<void> {
    try {
      const keys = reads.map(({ key }) => key);
      const payloads = await this.#get(keys);
      reads.forEach(({ resolve }, index) => {
        resolve(payloads[index] ?? null);
      });
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }

  async #get(keys: string[]): Promise<(Buffer | null)[]> {
    const [first = '', ...others] = keys;
    if (others.length === 0) {
      return [await this.#connection.run({ what: `GET ${first}`, send: (client) => client.getBuffer(first) })];
    }
    const what = `MGET ${first} and ${others.length} more`;
    return this.#connection.run({ what, send: (client) => client.mgetBuffer(keys) });
  }

  async #write(write: Write): Promise<number> {
    const { guard } = write;
    if (!guard) return this.#runWrite(UNGUARDED_WRITE, write, []);
    const outcome = guard.probe === undefined ? UNKNOWN : await this.#writeProbed(write, guard.probe);
    return outcome === UNKNOWN ? this.#writeCompared(write, guard) : outcome;
  }

  #writeProbed(write: Write, probe: string): Promise<number> {
    let script = this.#scripts.get(probe);
    if (!script) {
      script = probedWrite(probe, this.#scripts.size);
      this.#scripts.set(probe, script);
    }
    return this.#runWrite(script, write, []);
  }

  async #writeCompared(write: Write, guard: SuccessGuard): Promise<number> {
    const { key } = write;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const [stored] = await this.#get([key]);
      if (stored && guard.isSuccess(stored)) return KEPT;
      const outcome = await this.#runWrite(COMPARED_WRITE, write, stored ? [stored] : []);
      if (outcome !== CHANGED) return outcome;
    }
    throw unavailable(`The value of ${key} changed ${MAX_ROUNDS} times while it was to be written.`);
  }

  #runWrite(script: Script, { key, payload, ttl }: Write, more: Buffer[]): Promise<number> {
    const value = toArgument(payload);
    const args = [value, ttl === null ? '' : String(ttl), ...more];
    const bytes = more.reduce((sum, { length }) => sum + length, value.length);
    return this.#connection.run({
      what: `the store of ${key}`,
      bytes,
      send: (client) => runScript(client, script, key, args),
    });
  }
}

/** The longest payload, in units of UTF-16, that is sent as text. */
const MAX_TEXT = 64 * 1024;

/**
 * What ioredis is given. It joins a command of texts in one piece, which is cheap as long as they are short; a string of
 * 512 MiB would be too long once the command is put around it.
 */
function toArgument(payload: string | Uint8Array): string | Buffer {
  if (typeof payload !== 'string') return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return payload.length <= MAX_TEXT ? payload : Buffer.from(payload);
}
