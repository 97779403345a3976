/** Drivers under test, and what they tell. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { systemClock } from '../../src/clock.ts';
import type { DiagnosticEvents, WarningCode } from '../../src/diagnostics.ts';
import { Warnings } from '../../src/diagnostics.ts';
import type { ChannelListener, SuccessGuard } from '../../src/ports.ts';
import { createRedisDriver } from '../../src/redis/driver.ts';
import type { RedisDriver, RedisDriverOptions } from '../../src/redis/driver.ts';

type ConnectionEvent = DiagnosticEvents['celery-redis-backend:connection'];
const CONNECTION = 'celery-redis-backend:connection';

/** Keeps warnings to itself. */
export class RecordedWarnings extends Warnings {
  readonly given: { code: WarningCode; message: string }[] = [];

  override warn(code: WarningCode, message: string): void {
    this.given.push({ code, message });
  }
}

/** A driver, with everything it told so far. Closed at the end of its block. */
export class DriverUnderTest implements ChannelListener, AsyncDisposable {
  readonly driver: RedisDriver;
  readonly warnings: RecordedWarnings = new RecordedWarnings();
  readonly messages: { channel: string; payload: Buffer }[] = [];
  readonly events: ConnectionEvent[] = [];
  readies = 0;
  reconnects = 0;
  readonly #waiting = new Set<() => void>();
  readonly #onEvent = (event: unknown): void => {
    this.events.push(event as ConnectionEvent);
    this.#wake();
  };

  constructor(options: Partial<RedisDriverOptions>) {
    this.driver = createRedisDriver({
      connectTimeout: 5,
      commandTimeout: 5,
      heartbeat: 2,
      deadAfter: 6,
      warnings: this.warnings,
      clock: systemClock,
      ...options,
    });
    this.driver.source.listen(this);
    // One driver at a time: the channel is the process's.
    subscribe(CONNECTION, this.#onEvent);
  }

  onMessage(channel: string, payload: Uint8Array): void {
    this.messages.push({ channel, payload: Buffer.from(payload) });
    this.#wake();
  }

  onReady(): void {
    this.readies += 1;
    this.#wake();
  }

  onReconnect(): void {
    this.reconnects += 1;
    this.#wake();
  }

  /** How often a connection was made or lost. */
  count(connection: string, state: ConnectionEvent['state']): number {
    return this.events.filter((event) => event.connection === connection && event.state === state).length;
  }

  /** Resolves once the condition holds; it is looked at whenever the driver tells something. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver.close();
    unsubscribe(CONNECTION, this.#onEvent);
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** Looks by its own request, again and again, until the condition holds. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition()));
}

const SUCCESS = '{"status": "SUCCESS"';

/** Payloads that begin as Celery's do. */
export const guard: Required<SuccessGuard> = {
  probe: `return redis.call('GETRANGE', key, 0, ${SUCCESS.length - 1}) == '${SUCCESS}'`,
  isSuccess: (payload) => Buffer.from(payload).toString('latin1').startsWith(SUCCESS),
};

/** The same without a probe. */
export const probeless: SuccessGuard = { isSuccess: guard.isSuccess };

/** A payload of a state. */
export function meta(status: string, result: unknown = null): string {
  return `{"status": "${status}", "result": ${JSON.stringify(result)}}`;
}
