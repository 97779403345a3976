/** Results as keys of Redis. */
import type { Warnings } from '../diagnostics.ts';
import type { ResultStore, StoreOutcome, SuccessGuard, Write } from '../ports.ts';
import { BackendError } from '../errors.ts';
import type { Caller } from './call.ts';
import { refused, unavailable } from './errors.ts';
import { channelRule } from './permissions.ts';
import {
  CHANGED,
  COMPARED_WRITE,
  KEPT,
  UNANNOUNCED,
  UNGUARDED_WRITE,
  UNKNOWN,
  probedWrite,
  callScript,
  outcomesOf,
  replyError,
  toArgument,
} from './scripts.ts';
import type { Script } from './scripts.ts';
import { TickBatch } from './tick-batch.ts';
import { isRetryable } from '../retry.ts';

/** The most keys of one MGET or DEL. */
const MAX_KEYS = 100;
/** The most keys, and bytes, of one script. It blocks Redis for about 10 µs a key. */
const MAX_WRITES = 64;
const MAX_WRITE_BYTES = 64 * 1024;
/** How often a value may change under a write without a probe. Each change is another writer's success. */
const MAX_ROUNDS = 100;

/** One key of a command for many. */
interface Pending<T> {
  readonly key: string;
  readonly resolve: (answer: T) => void;
  readonly reject: (error: unknown) => void;
}

type Read = Pending<Buffer | null>;
type Removal = Pending<void>;

interface PendingWrite extends Pending<number> {
  readonly value: string | Buffer;
  readonly ttl: string;
}

/**
 * The commands of a result backend, over one connection.
 *
 * Each call has the connection's deadline. What one turn of the event loop asks for leaves together, writes and removals in
 * their order, both before reads.
 */
export class RedisStore implements ResultStore {
  readonly #connection: Caller;
  readonly #warnings: Warnings;
  readonly #reads = new TickBatch<Read>((reads) => {
    this.flush();
    for (const chunk of this.#inCommands(reads)) void this.#ask(chunk, (keys) => this.#get(keys));
  });
  readonly #removals = new TickBatch<Removal>((removals) => {
    for (const chunk of this.#inCommands(removals)) void this.#ask(chunk, (keys) => this.#delete(keys));
  });
  /** By probe, `null` without a guard. */
  readonly #writes = new Map<string | null, TickBatch<PendingWrite>>();

  constructor(connection: Caller, warnings: Warnings) {
    this.#connection = connection;
    this.#warnings = warnings;
  }

  get usable(): boolean {
    return this.#connection.state !== 'lost' && this.#connection.state !== 'refused';
  }

  /**
   * The stored bytes, `null` when there is no such key. Commands: GET, or one MGET for up to 100 reads of one tick; on
   * a cluster one GET each, all sent at once. A key of another type is an error by GET, and reads as `null` in an MGET,
   * as Redis has it. An MGET that Redis refuses for good (NOPERM of one key) is sent again as a GET each.
   */
  read(key: string): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      this.#reads.add({ key, resolve, reject });
    });
  }

  /** The same for many keys, in their order. */
  readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return Promise.all(keys.map((key) => this.read(key)));
  }

  /**
   * Unless the guard finds a SUCCESS: sets the key and publishes the same bytes, in one step. Commands: EVALSHA (EVAL at
   * first) for up to 64 writes of one turn, in it those of the probe, GETRANGE, SETEX or SET, PUBLISH. Without a probe, or
   * when it cannot tell: GET, and another script with GET. Without a guard: SETEX or SET, PUBLISH. A script of several
   * writes that Redis refuses for good (NOPERM of one key) is sent again for each write alone.
   *
   * @throws BackendError with `reply` `'WRONGTYPE'` when the key holds something that is no result; it is left alone
   */
  async write(write: Write): Promise<StoreOutcome> {
    const { guard } = write;
    const probe = guard?.probe ?? null;
    let outcome = guard && probe === null ? UNKNOWN : await this.#add(write, probe);
    if (outcome === UNKNOWN && guard) outcome = await this.#writeCompared(write, guard);
    if (outcome === KEPT) return 'kept';
    if (outcome !== UNANNOUNCED) return 'stored';
    this.#warnings.warn(
      'CELERY_UNANNOUNCED',
      `Results are stored, but ${this.#connection.user} may not publish (${write.key}): those who wait find them late ` +
        `(allow it: ACL SETUSER <user> +publish ${channelRule(write.key)}).`,
    );
    return 'unannounced';
  }

  /**
   * Deletes the key. Command: one DEL for up to 100 keys of one turn; on a cluster one each. One that Redis refuses for
   * good (NOPERM of one key) is sent again as a DEL each.
   */
  remove(key: string): Promise<void> {
    this.#flushWrites();
    return new Promise((resolve, reject) => {
      this.#removals.add({ key, resolve, reject });
    });
  }

  /** Sends the writes and removals that this turn has asked for so far, without waiting for its end. */
  flush(): void {
    // There are never both: each kind sends the other before it.
    this.#flushWrites();
    this.#removals.flush();
  }

  #flushWrites(): void {
    for (const writes of this.#writes.values()) writes.flush();
  }

  /** How many keys a command may have: those of a cluster lie in different slots, which none can span. */
  #most(keys: number): number {
    return this.#connection.isCluster ? 1 : keys;
  }

  *#inCommands<T>(pending: readonly T[]): Generator<readonly T[], void, undefined> {
    const most = this.#most(MAX_KEYS);
    for (let from = 0; from < pending.length; from += most) yield pending.slice(from, from + most);
  }

  /** One command for all of them, or where Redis refuses that for good, one for each. */
  async #ask<T>(pending: readonly Pending<T>[], ask: (keys: string[]) => Promise<readonly T[]>): Promise<void> {
    try {
      const answers = await ask(pending.map(({ key }) => key));
      pending.forEach(({ resolve }, index) => {
        resolve(answers[index] as T);
      });
    } catch (error) {
      if (pending.length > 1 && isLasting(error)) for (const one of pending) void this.#ask([one], ask);
      else for (const { reject } of pending) reject(error);
    }
  }

  async #get(keys: string[]): Promise<(Buffer | null)[]> {
    const [first = '', ...others] = keys;
    if (others.length === 0) {
      const what = `GET ${first}`;
      const reply = await this.#connection.run({ what, key: first, send: (client) => client.getBuffer(first) });
      return [asPayload(first, reply)];
    }
    const what = `MGET ${first} and ${others.length} more`;
    const replies = await this.#connection.run({ what, key: first, send: (client) => client.mgetBuffer(keys) });
    return keys.map((key, index) => asPayload(key, replies[index]));
  }

  async #delete(keys: string[]): Promise<undefined[]> {
    const [first = '', ...others] = keys;
    const what = `DEL ${first}${others.length > 0 ? ` and ${others.length} more` : ''}`;
    await this.#connection.run({ what, key: first, send: (client) => client.del(...keys) });
    return keys.map(() => undefined);
  }

  #add({ key, payload, ttl }: Write, probe: string | null): Promise<number> {
    this.#removals.flush();
    return new Promise((resolve, reject) => {
      const pending = { key, value: toArgument(payload), ttl: ttlText(ttl), resolve, reject };
      this.#batchOf(probe).add(pending);
    });
  }

  #batchOf(probe: string | null): TickBatch<PendingWrite> {
    const present = this.#writes.get(probe);
    if (present) return present;
    const script = probe === null ? UNGUARDED_WRITE : probedWrite(probe, this.#writes.size);
    const batch = new TickBatch<PendingWrite>((writes) => {
      for (const chunk of inChunks(writes, this.#most(MAX_WRITES))) void this.#store(script, chunk);
    });
    this.#writes.set(probe, batch);
    return batch;
  }

  async #store(script: Script, writes: readonly PendingWrite[]): Promise<void> {
    try {
      const keys: string[] = [];
      const args: (string | Buffer)[] = [];
      for (const { key, value, ttl } of writes) {
        keys.push(key);
        args.push(value, ttl);
      }
      const outcomes = await this.#run(script, keys, args);
      writes.forEach(({ key, resolve, reject }, index) => {
        const outcome = outcomes[index];
        if (typeof outcome === 'number') resolve(outcome);
        else reject(this.#refusedBy(script, key, outcome));
      });
    } catch (error) {
      // Redis checks the permissions of all keys at once, so that one key may have failed the others.
      if (writes.length > 1 && isLasting(error)) for (const write of writes) void this.#store(script, [write]);
      else for (const { reject } of writes) reject(error);
    }
  }

  async #writeCompared({ key, payload, ttl }: Write, guard: SuccessGuard): Promise<number> {
    const value = toArgument(payload);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const [stored] = await this.#get([key]);
      if (stored && guard.isSuccess(stored)) return KEPT;
      const expected = stored ? [stored] : [];
      const [outcome] = await this.#run(COMPARED_WRITE, [key], [value, ttlText(ttl), ...expected]);
      if (typeof outcome !== 'number') throw this.#refusedBy(COMPARED_WRITE, key, outcome);
      if (outcome !== CHANGED) return outcome;
    }
    throw unavailable(`The value of ${key} changed ${MAX_ROUNDS} times while it was to be written.`);
  }

  /** The error of one key of a script that went through. */
  #refusedBy({ lua }: Script, key: string, text = 'ERR no outcome'): BackendError {
    return refused(storeOf([key]), replyError(text), { key, lua, user: this.#connection.user });
  }

  #run(script: Script, keys: string[], args: (string | Buffer)[]): Promise<(number | string)[]> {
    let bytes = 0;
    for (const { length } of args) bytes += length;
    return this.#connection.run({
      what: storeOf(keys),
      key: keys[0] ?? null,
      bytes,
      lua: script.lua,
      send: (client) => callScript(client, script, keys, args).then(outcomesOf),
    });
  }
}

function storeOf(keys: readonly string[]): string {
  return `the store of ${keys[0] ?? ''}${keys.length > 1 ? ` and ${keys.length - 1} more` : ''}`;
}

function ttlText(ttl: number | null): string {
  return ttl === null ? '' : String(ttl);
}

/** @throws BackendError when the server is no Redis */
function asPayload(key: string, reply: unknown): Buffer | null {
  if (reply === null || Buffer.isBuffer(reply)) return reply;
  throw unavailable(`What answered the read of ${key} gave ${typeof reply} for a value: it is no Redis.`);
}

/** Whether Redis refused, and would again. */
function isLasting(error: unknown): boolean {
  return error instanceof BackendError && error.reply !== undefined && !isRetryable(error);
}

/** In the given order, each at most so long and so large. */
function inChunks(writes: readonly PendingWrite[], most: number): (readonly PendingWrite[])[] {
  const chunks: PendingWrite[][] = [];
  let bytes = 0;
  for (const write of writes) {
    const last = chunks.at(-1);
    if (last && last.length < most && bytes + write.value.length <= MAX_WRITE_BYTES) last.push(write);
    else {
      chunks.push([write]);
      bytes = 0;
    }
    bytes += write.value.length;
  }
  return chunks;
}
