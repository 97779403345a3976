import { beforeEach, describe, expect, it } from '@jest/globals';
import { type WarningCode, Warnings } from '../../../src/diagnostics.ts';
import { BackendError } from '../../../src/errors.ts';
import type { SuccessGuard } from '../../../src/ports.ts';
import type { Call, Caller, ConnectionState } from '../../../src/redis/call.ts';
import type { RedisClient } from '../../../src/redis/client.ts';
import { UNGUARDED_WRITE } from '../../../src/redis/scripts.ts';
import { RedisStore } from '../../../src/redis/store.ts';
import { settle } from '../../support/virtual-clock.ts';

/** A script as it was called. */
interface Ran {
  readonly name: string;
  readonly keys: readonly string[];
  readonly args: readonly (string | Buffer)[];
}

/** A connection whose client notes its commands, and answers scripts with what `outcomes` says. */
class FakeCaller implements Caller {
  readonly user = "user 'worker'";
  state: ConnectionState = 'ready';
  readonly reconnects = 0;
  isCluster = false;
  readonly calls: Call<unknown>[] = [];
  readonly log: string[] = [];
  readonly ran: Ran[] = [];
  /** A number stands for what no Redis would answer a GET with. */
  readonly stored = new Map<string, string | number>();
  outcomes: (ran: Ran) => string = ({ keys }) => keys.map(() => '1').join(';;');
  failure: Error | undefined;

  onReady(): void {
    throw new Error('not scripted');
  }

  async run<T>(call: Call<T>): Promise<T> {
    this.calls.push(call);
    const sent = call.send(this.#client as unknown as RedisClient);
    if (!this.failure) return sent;
    await sent.catch(() => undefined);
    throw this.failure;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  readonly #client: Record<string, unknown> = {
    getBuffer: (key: string) => {
      this.log.push(`GET ${key}`);
      return Promise.resolve(this.#get(key));
    },
    mgetBuffer: (keys: string[]) => {
      this.log.push(`MGET ${keys.length}`);
      return Promise.resolve(keys.map((key) => this.#get(key)));
    },
    del: (...keys: string[]) => {
      this.log.push(keys.length === 1 ? `DEL ${keys[0]}` : `DEL ${keys.length}`);
      return Promise.resolve(keys.length);
    },
    defineCommand: (name: string, { numberOfKeys }: { numberOfKeys: number }) => {
      this.#client[name] = (...words: (string | Buffer)[]) => {
        const ran = { name, keys: words.slice(0, numberOfKeys).map(String), args: words.slice(numberOfKeys) };
        this.log.push(`EVAL ${ran.keys.length}`);
        this.ran.push(ran);
        return Promise.resolve(this.outcomes(ran));
      };
    },
  };

  #get(key: string): Buffer | number | null {
    const value = this.stored.get(key);
    return typeof value === 'string' ? Buffer.from(value) : (value ?? null);
  }
}

class KeptWarnings extends Warnings {
  readonly given: { code: WarningCode; message: string }[] = [];

  override warn(code: WarningCode, message: string): void {
    this.given.push({ code, message });
  }
}

const isSuccess = (payload: Uint8Array): boolean => String(payload) === 'SUCCESS';
const guard: SuccessGuard = { probe: 'return false', isSuccess };
const probeless: SuccessGuard = { isSuccess };

/** Errors that the keys of a command have in common. */
const ERRORS_OF_NO_KEY: readonly (readonly [title: string, error: Error])[] = [
  ['that passes', new BackendError('busy', { code: 'CELERY_BACKEND_REFUSED', reply: 'BUSY' })],
  ['without a reply', new BackendError('closed', { code: 'CELERY_BACKEND_REFUSED' })],
  ['of another kind', new TypeError('what')],
];

let caller: FakeCaller;
let warnings: KeptWarnings;
let store: RedisStore;

beforeEach(() => {
  caller = new FakeCaller();
  warnings = new KeptWarnings();
  store = new RedisStore(caller, warnings);
});

function write(
  key: string,
  options: { payload?: string; ttl?: number | null; guard?: SuccessGuard | null } = {},
): Promise<string> {
  const { payload = 'x', ttl = 60, guard: by = guard } = options;
  return store.write({ key, payload, ttl, guard: by });
}

/** What many calls have come to, in their order. */
async function all(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(calls);
  return outcomes.map((outcome): unknown => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason));
}

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index}`);

describe('a read', () => {
  it('is a GET alone, and one of an MGET together, in the order of the calls', async () => {
    caller.stored.set('a', '1').set('b', '2');
    await expect(store.read('a')).resolves.toEqual(Buffer.from('1'));
    await expect(store.readMany(['b', 'absent', 'a'])).resolves.toEqual([Buffer.from('2'), null, Buffer.from('1')]);
    expect(caller.log).toEqual(['GET a', 'MGET 3']);
    expect(caller.calls.map(({ what, key }) => [what, key])).toEqual([
      ['GET a', 'a'],
      ['MGET b and 2 more', 'b'],
    ]);
  });

  it('is one of 100 in an MGET at the most', async () => {
    await store.readMany(keysOf(201));
    expect(caller.log).toEqual(['MGET 100', 'MGET 100', 'GET k200']);
  });

  it('is a GET for each key on a cluster', async () => {
    caller.isCluster = true;
    await store.readMany(['a', 'b']);
    expect(caller.log).toEqual(['GET a', 'GET b']);
  });

  it('rejects with what its command rejects with, as do those that shared it', async () => {
    caller.failure = new Error('down');
    await expect(all([store.read('a'), store.read('b')])).resolves.toEqual([caller.failure, caller.failure]);
  });

  it('is made again alone when an MGET is refused for good', async () => {
    const refusal = new BackendError('no', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' });
    caller.failure = refusal;
    await expect(all([store.read('a'), store.read('b')])).resolves.toEqual([refusal, refusal]);
    expect(caller.log).toEqual(['MGET 2', 'GET a', 'GET b']);
  });

  it.each(ERRORS_OF_NO_KEY)('is not made again for an error %s', async (_title, error) => {
    caller.failure = error;
    await expect(all([store.read('a'), store.read('b')])).resolves.toEqual([error, error]);
    expect(caller.log).toEqual(['MGET 2']);
  });

  it.each([[['a']], [['b', 'a']]])('rejects when what it is given is no value: %j', async (keys) => {
    caller.stored.set('a', 5);
    await expect(store.readMany(keys)).rejects.toMatchObject({
      code: 'CELERY_BACKEND_UNAVAILABLE',
      message: 'What answered the read of a gave number for a value: it is no Redis.',
    });
  });

  it('leaves after the writes of its turn', async () => {
    await Promise.all([store.read('a'), write('b')]);
    expect(caller.log).toEqual(['EVAL 1', 'GET a']);
  });
});

describe('a removal', () => {
  it('is a DEL alone, and one of a DEL of 100 at the most together', async () => {
    await expect(store.remove('a')).resolves.toBeUndefined();
    await expect(all(keysOf(201).map((key) => store.remove(key)))).resolves.toEqual(Array(201).fill(undefined));
    expect(caller.log).toEqual(['DEL a', 'DEL 100', 'DEL 100', 'DEL k200']);
    expect(caller.calls.slice(0, 2).map(({ what, key }) => [what, key])).toEqual([
      ['DEL a', 'a'],
      ['DEL k0 and 99 more', 'k0'],
    ]);
  });

  it('is a DEL for each key on a cluster', async () => {
    caller.isCluster = true;
    await all([store.remove('a'), store.remove('b')]);
    expect(caller.log).toEqual(['DEL a', 'DEL b']);
  });

  it('is made again alone when a DEL of several is refused for good', async () => {
    const refusal = new BackendError('no', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' });
    caller.failure = refusal;
    await expect(all([store.remove('a'), store.remove('b')])).resolves.toEqual([refusal, refusal]);
    expect(caller.log).toEqual(['DEL 2', 'DEL a', 'DEL b']);
  });

  it('leaves in its order with the writes of its turn, and before the reads', async () => {
    await Promise.all([
      store.read('a'),
      write('a'),
      store.remove('a'),
      store.remove('b'),
      write('a'),
      write('b'),
      store.remove('c'),
    ]);
    expect(caller.log).toEqual(['EVAL 1', 'DEL 2', 'EVAL 2', 'DEL c', 'GET a']);
  });
});

describe('a store', () => {
  it.each([
    ['idle', true],
    ['connecting', true],
    ['ready', true],
    ['lost', false],
    ['refused', false],
  ] as const)('that is %s is usable: %j', (state, usable) => {
    caller.state = state;
    expect(store.usable).toBe(usable);
  });

  it('sends what there is to write and remove at a flush', () => {
    void write('a');
    void store.remove('b');
    store.flush();
    expect(caller.log).toEqual(['EVAL 1', 'DEL b']);
  });
});

describe('a guarded write', () => {
  it('tells what the script says of its key: stored, kept or unannounced', async () => {
    caller.outcomes = () => '1;;0;;2';
    await expect(all(['a', 'b', 'c'].map((key) => write(key)))).resolves.toEqual(['stored', 'kept', 'unannounced']);
    expect(warnings.given).toEqual([
      {
        code: 'CELERY_UNANNOUNCED',
        message: expect.stringMatching(
          /user 'worker' may not publish \(c\).*allow it: ACL SETUSER <user> \+publish &c\b/,
        ),
      },
    ]);
  });

  it('is sent with its payload and its seconds, none for a key that stays', async () => {
    await Promise.all([write('a', { payload: '1', ttl: 60 }), write('b', { payload: '22', ttl: null })]);
    expect(caller.ran).toEqual([{ name: expect.any(String), keys: ['a', 'b'], args: ['1', '60', '22', ''] }]);
    expect(caller.calls).toMatchObject([{ what: 'the store of a and 1 more', key: 'a', bytes: 5 }]);
  });

  it('has a script of its own for each probe, and another without a guard', async () => {
    const other = { ...guard, probe: 'return nil' };
    await Promise.all([write('a'), write('b'), write('c', { guard: other }), write('d', { guard: null })]);
    expect(caller.ran.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c'], ['d']]);
    expect(new Set(caller.ran.map(({ name }) => name)).size).toBe(3);
    expect(caller.ran[2]?.name).toContain(UNGUARDED_WRITE.name);
  });

  it('shares a script with 64 others at the most, with one on a cluster', async () => {
    await all(keysOf(129).map((key) => write(key)));
    expect(caller.log).toEqual(['EVAL 64', 'EVAL 64', 'EVAL 1']);
    caller.log.length = 0;
    caller.isCluster = true;
    await all(keysOf(2).map((key) => write(key)));
    expect(caller.log).toEqual(['EVAL 1', 'EVAL 1']);
  });

  it('shares a script up to 64 KiB, and is alone when it is larger', async () => {
    const sizes = [70_000, 32 * 1024, 32 * 1024, 1, 70_000, 1, 64 * 1024 - 1, 1];
    await all(sizes.map((size, index) => write(`k${index}`, { payload: 'x'.repeat(size) })));
    expect(caller.ran.map(({ keys }) => keys)).toEqual([['k0'], ['k1', 'k2'], ['k3'], ['k4'], ['k5', 'k6'], ['k7']]);
  });

  it('rejects with the error that the script has for its key, and no other does', async () => {
    caller.outcomes = () => '1;;WRONGTYPE Operation against a key;;1';
    const [first, second, third] = await all(['a', 'b', 'c'].map((key) => write(key)));
    expect([first, third]).toEqual(['stored', 'stored']);
    expect(second).toMatchObject({ code: 'CELERY_BACKEND_REFUSED', reply: 'WRONGTYPE' });
    expect((second as Error).message).toBe('Redis refused the store of b: WRONGTYPE Operation against a key');
  });

  it('says how to allow what was refused of its key', async () => {
    caller.outcomes = ({ keys }) =>
      keys.map(() => "NOPERM this user has no permissions to run the 'setex' command").join(';;');
    const refusals = await all(['a', 'b'].map((key) => write(key)));
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ reply: 'NOPERM', message: expect.stringContaining("for user 'worker'") });
      expect((refusal as Error).message).toContain('(allow it: ACL SETUSER');
    }
  });

  it('rejects when the script has no outcome for its key', async () => {
    caller.outcomes = () => '1';
    const [, second] = await all(['a', 'b'].map((key) => write(key)));
    expect(second).toMatchObject({ reply: 'ERR', message: expect.stringContaining('no outcome') });
  });

  it('fails with all others for READONLY, which is of the connection', async () => {
    caller.outcomes = () => '1;;READONLY You can not write';
    const [first, second] = await all(['a', 'b'].map((key) => write(key)));
    expect([first, second].map((error) => (error as Error).message)).toEqual(
      Array(2).fill('READONLY You can not write'),
    );
    expect((first as Error).name).toBe('ReplyError');
    expect(caller.ran).toHaveLength(1);
  });

  it('is sent again alone when a script of several is refused for good', async () => {
    const refusal = new BackendError('no', { code: 'CELERY_BACKEND_REFUSED', reply: 'NOPERM' });
    caller.failure = refusal;
    await expect(all(['a', 'b'].map((key) => write(key)))).resolves.toEqual([refusal, refusal]);
    expect(caller.ran.map(({ keys }) => keys)).toEqual([['a', 'b'], ['a'], ['b']]);
  });

  it.each(ERRORS_OF_NO_KEY)('is not sent again for an error %s', async (_title, error) => {
    caller.failure = error;
    await expect(all(['a', 'b'].map((key) => write(key)))).resolves.toEqual([error, error]);
    expect(caller.ran).toHaveLength(1);
  });
});

describe.each([
  ['without a probe', probeless, 0],
  ['whose probe cannot tell', guard, 1],
])('a write %s', (_title, guarded, probes) => {
  /** Outcomes of the scripts that compare, in order; the last one stays. */
  function compare(...outcomes: string[]): void {
    let at = -probes;
    caller.outcomes = () => (at++ < 0 ? '4' : (outcomes[Math.min(at - 1, outcomes.length - 1)] ?? ''));
  }
  const compared = (): Ran[] => caller.ran.slice(probes);

  it('reads, and writes where there was nothing', async () => {
    compare('1');
    await expect(write('a', { guard: guarded, ttl: null })).resolves.toBe('stored');
    expect(caller.log.slice(probes)).toEqual(['GET a', 'EVAL 1']);
    expect(compared()).toMatchObject([{ keys: ['a'], args: ['x', ''] }]);
  });

  it('keeps a SUCCESS, and writes nothing', async () => {
    compare('1');
    caller.stored.set('a', 'SUCCESS');
    await expect(write('a', { guard: guarded })).resolves.toBe('kept');
    expect(compared()).toEqual([]);
  });

  it('replaces what it has read, and reads again when that has changed', async () => {
    compare('3', '3', '2');
    caller.stored.set('a', 'FAILURE');
    await expect(write('a', { guard: guarded })).resolves.toBe('unannounced');
    expect(compared()).toHaveLength(3);
    expect(compared()[0]?.args).toEqual(['x', '60', Buffer.from('FAILURE')]);
  });

  it('gives up when the value has changed 100 times', async () => {
    compare('3');
    await expect(write('a', { guard: guarded })).rejects.toMatchObject({
      code: 'CELERY_BACKEND_UNAVAILABLE',
      message: expect.stringContaining('The value of a changed 100 times'),
    });
    expect(compared()).toHaveLength(100);
  });

  it('rejects with the error that the script has', async () => {
    compare('OOM no room');
    await expect(write('a', { guard: guarded })).rejects.toMatchObject({
      reply: 'OOM',
      message: 'Redis refused the store of a: OOM no room',
    });
    await settle();
  });
});
