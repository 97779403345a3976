/** Finds the master, and notices when it has moved. */
import type { Clock, Timer } from '../clock.ts';
import { BackendError } from '../errors.ts';
import type { RedisClient } from './client.ts';
import type { Connection } from './connection.ts';
import { loginRefused } from './errors.ts';
import { type Address, showAddress } from './topology.ts';

/** Settings of {@link Sentinels}. */
export interface SentinelsOptions {
  readonly masterName: string;
  /** One to each sentinel. They are closed with this. */
  readonly connections: readonly Connection[];
  /** A sentinel that sees fewer others is not believed. */
  readonly minOtherSentinels: number;
  /** How a master is reached from here, by the address that sentinels give. */
  readonly translate: (address: Address) => Address;
  /** How long to rest between two looks at where the master is. */
  readonly everyMs: number;
  /** How long the sentinels have to say where it is. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called, after the first answer, with each new place of the master. */
  readonly onMove: (address: Address) => void;
}

/** What one sentinel says of the master. */
interface Word {
  readonly address: Address;
  /** Which failover made it the master; the highest is the newest. */
  readonly epoch: number;
}

/** How long to wait for more sentinels after the first answer, when fewer than half have answered. */
const GRACE_MS = 250;

/**
 * Asks all sentinels, and believes the one that knows of the newest failover; never one before that which is known,
 * unless most answer and all that do agree: they were reset. From the first question on it asks again
 * every `everyMs`, rather than wait to be told: a message of a sentinel can be lost, and a hung sentinel sends none.
 *
 * ```
 * idle      nothing was asked yet
 * watching  asked again and again
 * closed    for good
 *
 * idle -> watching    the first `find`
 * any -> closed       close()
 * ```
 */
export class Sentinels {
  readonly #options: SentinelsOptions;
  #state: 'idle' | 'watching' | 'closed' = 'idle';
  #known: Word | undefined;
  #timer: Timer | undefined;

  constructor(options: SentinelsOptions) {
    this.#options = options;
  }

  /**
   * Where the master is. Command, to each sentinel: SENTINEL MASTER.
   *
   * @throws Error when no sentinel knows, which names the most telling reason
   */
  async find(): Promise<Address> {
    const address = this.#note(await this.#ask());
    if (this.#state === 'idle') {
      this.#state = 'watching';
      this.#rest();
    }
    return address;
  }

  async close(graceMs?: number): Promise<void> {
    this.#state = 'closed';
    this.#timer?.cancel();
    await Promise.all(this.#options.connections.map((connection) => connection.close(graceMs)));
  }

  #rest(): void {
    if (this.#state !== 'watching') return;
    this.#timer = this.#options.clock.after(this.#options.everyMs, () => {
      void this.#ask()
        .then((word) => this.#note(word))
        // Nothing is known for now; the links to the master tell by themselves whether it is there.
        .catch(() => undefined)
        .finally(() => {
          this.#rest();
        });
    });
  }

  /** Remembers where the master is, and tells when that is elsewhere than before. */
  #note(word: Word): Address {
    const before = this.#known;
    this.#known = word;
    const address = this.#options.translate(word.address);
    const moved = before && showAddress(before.address) !== showAddress(word.address);
    if (moved && this.#state === 'watching') this.#options.onMove(address);
    return address;
  }

  /** The newest word, once most sentinels have answered, or all that are going to in time; those behind need all. */
  #ask(): Promise<Word> {
    const { connections, clock } = this.#options;
    return new Promise((resolve, reject) => {
      const words: Word[] = [];
      const failures: Error[] = [];
      const before = this.#known;
      let grace: Timer | undefined;
      const answer = (most: boolean, all: boolean): void => {
        grace?.cancel();
        const newest = words.reduce((best, word) => (word.epoch > best.epoch ? word : best));
        const behind = newest.epoch < (this.#known?.epoch ?? 0);
        // Those that are behind may be the first to answer, or be cut off from the others.
        if (!behind || (all && most && this.#known?.epoch === before?.epoch && agree(words))) resolve(newest);
        else if (all) reject(new Error('the sentinels that answer are behind'));
        else grace = undefined;
      };
      const look = (): void => {
        const all = words.length + failures.length === connections.length;
        const most = words.length > connections.length / 2;
        if (all && words.length === 0) reject(mostTelling(failures));
        else if (most || all) answer(most, all);
        else if (words.length > 0) {
          grace ??= clock.after(GRACE_MS, () => {
            answer(false, false);
          });
        }
      };
      for (const connection of connections) {
        void this.#askOne(connection)
          .then(
            (word) => words.push(word),
            (error: unknown) => failures.push(error as Error),
          )
          .finally(look);
      }
    });
  }

  async #askOne(connection: Connection): Promise<Word> {
    const { masterName, minOtherSentinels, timeoutMs } = this.#options;
    const reply = await connection.run({
      what: `SENTINEL MASTER ${masterName}`,
      key: null,
      timeoutMs,
      send: (client) => client.call('SENTINEL', 'MASTER', masterName),
    });
    const master = fieldsOf(reply);
    const address = { host: master.get('ip') ?? '', port: Number(master.get('port')) };
    const others = Number(master.get('num-other-sentinels'));
    if (address.host === '' || !(address.port > 0)) throw new Error('a sentinel gave no address of the master');
    if (others < minOtherSentinels) {
      throw new Error(`a sentinel sees ${others} others, of the ${minOtherSentinels} that minOtherSentinels asks for`);
    }
    if (/\b[so]_down\b/.test(master.get('flags') ?? '')) {
      throw new Error(`the master ${masterName} is down, as its sentinels say`);
    }
    return { address, epoch: Number(master.get('config-epoch')) || 0 };
  }
}

/** Whether all name the same master, of the same failover. */
function agree([first, ...others]: readonly Word[]): boolean {
  const same = ({ address, epoch }: Word): boolean =>
    epoch === first?.epoch && showAddress(address) === showAddress(first.address);
  return others.every(same);
}

/** A flat list of names and values in RESP2, an object or a map in RESP3. */
function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  if (reply instanceof Map) return new Map([...reply].map(([name, value]) => [String(name), String(value)]));
  if (!Array.isArray(reply)) {
    return new Map(Object.entries(reply ?? {}).map(([name, value]) => [name, String(value)]));
  }
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), String(reply[i + 1]));
  return fields;
}

/** A refusal by a sentinel says more than one that is out of reach. */
function mostTelling(failures: readonly Error[]): Error {
  const said = failures.find((error) => error instanceof BackendError && error.code === 'CELERY_BACKEND_REFUSED');
  if (said instanceof BackendError && /^(NOAUTH|WRONGPASS|NOPERM|ERR)$/.test(said.reply ?? '')) {
    const unknown = /No such master/i.test(said.message);
    if (unknown) return new Error('the sentinels do not know a master of this name; check sentinel.masterName');
    return loginRefused(`a sentinel refuses us: ${said.message}`);
  }
  const judged = failures.find((error) => !(error instanceof BackendError));
  const [first] = failures;
  return said ?? judged ?? new Error(`no sentinel answers: ${first?.message ?? 'there is none'}`);
}

/**
 * Checks that a server is a master: sentinels may be behind. Command: INFO replication; without the right to it, nothing
 * is checked.
 *
 * @throws Error
 */
export async function confirmMaster(client: RedisClient): Promise<void> {
  let text: string;
  try {
    text = await client.info('replication');
  } catch (error) {
    if ((error as Error).message.startsWith('NOPERM')) return;
    throw error;
  }
  const role = /^role:(\w+)/m.exec(text)?.[1];
  if (role === 'slave') throw new Error('it is a replica; the sentinels are behind');
}
