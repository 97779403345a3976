/** Chords as keys of Redis. */
import { type ChordView, judge, judgeTakeOver } from '../chords/state.ts';
import type { ChordClaim, ChordKeys, ChordPart, ChordStore, Recorded, TakeOver } from '../ports.ts';
import {
  COUNT_STEP,
  LOCK_STEP,
  RECORD,
  RECORD_STEP,
  RELEASE,
  RENEW,
  RENEW_STEP,
  TAKE_OVER,
  UNLOCK_STEP,
} from './chord-scripts.ts';
import type { RedisClient } from './client.ts';
import type { Caller } from './call.ts';
import { callScript, type Script, toArgument } from './scripts.ts';

/** How chords are kept. */
export interface RedisChordsOptions {
  /**
   * Whether all keys of a chord are on one server, so that one script may touch them. Without it each command has one
   * key; two workers can then still not both claim a chord, but a reply that is lost costs the wait of a lease.
   */
  readonly atomic: boolean;
}

/** The commands of chords, over one connection. Each call has the connection's deadline. */
export class RedisChords implements ChordStore {
  readonly #connection: Pick<Caller, 'run'>;
  readonly #atomic: boolean;

  constructor(connection: Pick<Caller, 'run'>, { atomic }: RedisChordsOptions) {
    this.#connection = connection;
    this.#atomic = atomic;
  }

  /**
   * Commands: EVALSHA, in it ZRANGEBYSCORE, ZREM, ZADD and ZCARD (of a list LRANGE, LSET, RPUSH and LLEN), GET, EXPIRE,
   * and SET for a claim. In steps: EVALSHA of those of the parts, GET, EXPIRE, and EVALSHA for the lock.
   */
  async record(part: ChordPart): Promise<Recorded> {
    const { keys, ordered, token, leaseMs } = part;
    const args = [
      toArgument(part.member),
      toArgument(part.prefix ?? ''),
      ordered ? scoreText(part.score) : '',
      ttlText(part.ttl),
    ];
    if (!this.#atomic) return this.#recordInSteps(part, args);
    const state = await this.#script(RECORD, all(keys), [...args, token, String(leaseMs)]);
    return { state: state as Recorded['state'] };
  }

  /** Commands: EVALSHA, in it GET, ZCARD or LLEN, and SET to claim; in steps the same one by one. */
  async takeOver(claim: ChordClaim, take: boolean): Promise<TakeOver> {
    const { keys, ordered, token, leaseMs } = claim;
    if (!this.#atomic) return this.#takeOverInSteps(claim, take);
    const args = [token, String(leaseMs), flag(ordered), flag(take)];
    return { state: (await this.#script(TAKE_OVER, all(keys), args)) as TakeOver['state'] };
  }

  /** Commands: EVALSHA, in it GET and PEXPIRE. */
  async renew({ keys, token, leaseMs }: ChordClaim): Promise<boolean> {
    const args = [token, String(leaseMs)];
    const renewed = this.#atomic
      ? this.#script(RENEW, [keys.lock, keys.added], args)
      : this.#script(RENEW_STEP, [keys.lock], args);
    return (await renewed) === 1;
  }

  /** Command: ZRANGE or LRANGE. */
  async members({ parts }: ChordKeys, ordered: boolean): Promise<Buffer[]> {
    const name = ordered ? 'ZRANGE' : 'LRANGE';
    return (await this.#run(name, parts, (client) => client.callBuffer(name, [parts, 0, -1]))) as Buffer[];
  }

  /** Commands: EVALSHA, in it GET, SET, and DEL or SETEX. */
  async release({ keys, token }: ChordClaim, open: boolean, ttl: number | null): Promise<void> {
    const args = [token, flag(open), ttlText(ttl)];
    if (this.#atomic) await this.#script(RELEASE, all(keys), args);
    else await this.#script(UNLOCK_STEP, [keys.lock], args);
  }

  /** Command: DEL; in steps one for each key, the size first: without it nobody acts on the others. */
  async finish({ parts, added, size, lock }: ChordKeys): Promise<void> {
    if (this.#atomic) await this.#run('DEL', size, (client) => client.del(parts, added, size, lock));
    else for (const key of [size, parts, added, lock]) await this.#run('DEL', key, (client) => client.del(key));
  }

  /** Command: INCRBY. */
  grow({ added }: ChordKeys): Promise<number> {
    return this.#run('INCRBY', added, (client) => client.incrby(added, 1));
  }

  async #recordInSteps(part: ChordPart, args: readonly (string | Buffer)[]): Promise<Recorded> {
    const { keys, ttl, token } = part;
    const [count, rose] = (await this.#script(RECORD_STEP, [keys.parts], args)) as [number, number];
    const view = await this.#view(keys, count);
    if (ttl !== null) {
      await this.#run('EXPIRE', keys.added, (client) => client.expire(keys.added, ttl));
      await this.#run('EXPIRE', keys.size, (client) => client.expire(keys.size, ttl));
    }
    const found = judge(view, rose === 1, token);
    if (found.state !== 'claimed' && found.state !== 'reclaimed') return found;
    return (await this.#lock(part)) ? found : { state: 'complete' };
  }

  async #takeOverInSteps(claim: ChordClaim, take: boolean): Promise<TakeOver> {
    const { keys, ordered, token } = claim;
    const count = Number(await this.#script(COUNT_STEP, [keys.parts], [flag(ordered)]));
    const found = judgeTakeOver(await this.#view(keys, count), token);
    if (found.state !== 'free' || !take) return found;
    return { state: (await this.#lock(claim)) ? 'claimed' : 'busy' };
  }

  async #lock({ keys, token, leaseMs }: ChordClaim): Promise<boolean> {
    return (await this.#script(LOCK_STEP, [keys.lock], [token, String(leaseMs)])) === 1;
  }

  async #view(keys: ChordKeys, count: number): Promise<ChordView> {
    const get = async (key: string): Promise<string | null> =>
      (await this.#run('GET', key, (client) => client.getBuffer(key)))?.toString('latin1') ?? null;
    const [added, size, lock] = await Promise.all([get(keys.added), get(keys.size), get(keys.lock)]);
    return { count, added, size, lock };
  }

  #script(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    const bytes = args.reduce((sum, { length }) => sum + length, 0);
    const what = `the chord of ${keys[0] ?? ''}`;
    return this.#connection.run({
      what,
      key: keys[0] ?? null,
      bytes,
      lua: script.lua,
      send: (client) => callScript(client, script, keys, args),
    });
  }

  #run<T>(command: string, key: string, send: (client: RedisClient) => Promise<T>): Promise<T> {
    return this.#connection.run({ what: `${command} ${key}`, key, send });
  }
}

function all({ parts, added, size, lock }: ChordKeys): readonly string[] {
  return [parts, added, size, lock];
}

function scoreText(score: number): string {
  return score === Infinity ? '+inf' : String(score);
}

function ttlText(ttl: number | null): string {
  return ttl === null ? '' : String(ttl);
}

function flag(value: boolean): string {
  return value ? '1' : '';
}
