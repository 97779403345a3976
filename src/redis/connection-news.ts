/** What a connection tells those who watch: events and warnings. */
import type { Clock } from '../clock.ts';
import { watched, type Warnings } from '../diagnostics.ts';
import type { RedisClient } from './client.ts';
import { advice, describeUser, forUser } from './errors.ts';

/** Of whom it is told. */
export interface NewsSource {
  /** `'commands'` or `'subscriber'`. */
  readonly name: string;
  /** Where Redis is, for messages: `'localhost:6379'`. */
  readonly address: string;
  readonly warnings: Pick<Warnings, 'warn'>;
  readonly clock: Clock;
}

/** Tells of one connection. Errors are sanitised before they come here; `user` is who it logs in as. */
export class ConnectionNews {
  readonly #source: NewsSource;
  #lostAtMs: number | undefined;
  /** Whether this outage was told to be one of the login. */
  #refusalTold = false;

  constructor(source: NewsSource) {
    this.#source = source;
  }

  ready(attempt: number, first: boolean): void {
    const { name: connection, clock } = this.#source;
    const downFor = this.#lostAtMs === undefined ? undefined : (clock.now() - this.#lostAtMs) / 1000;
    this.#lostAtMs = undefined;
    this.#refusalTold = false;
    watched('celery-redis-backend:connection')?.publish({ connection, state: 'ready', attempt, first, downFor });
  }

  /** An outage begins. */
  lost(error: Error, attempt: number, first: boolean, user: string): void {
    const { name: connection, address, warnings, clock } = this.#source;
    this.#lostAtMs = clock.now();
    watched('celery-redis-backend:connection')?.publish({ connection, state: 'lost', attempt, first, error });
    const what = `No ${connection} connection to Redis at ${address}${forUser(error, user)} (${advice(error)})`;
    warnings.warn('CELERY_CONNECTION', `${what}; trying again until there is one.`);
  }

  /** The first login was refused: calls reject, and say so. */
  refused(error: Error, attempt: number): void {
    const { name: connection } = this.#source;
    const state = 'refused';
    watched('celery-redis-backend:connection')?.publish({ connection, state, attempt, first: true, error });
  }

  /** A login is refused in an outage, of which it may be the reason. Attempts go on, so that this is told once an outage. */
  refusedAgain(error: Error, attempt: number, first: boolean, user: string): void {
    if (this.#refusalTold) return;
    this.#refusalTold = true;
    const { name: connection, address, warnings } = this.#source;
    const state = 'refused';
    watched('celery-redis-backend:connection')?.publish({ connection, state, attempt, first, error });
    const what = `Redis at ${address} refuses the ${connection} connection its login${forUser(error, user)} (${advice(error)})`;
    warnings.warn('CELERY_LOGIN_REFUSED', `${what}; trying again until it does not.`);
  }
}

/** Who a client logs in as, for messages. */
export function userOf(client: RedisClient | undefined): string {
  return describeUser(client?.options.username);
}
