/** Stands in for `ioredis` in the project `ioredis-mock`: the mock, with what it lacks and the real one has. */
import { Socket } from 'node:net';
import RedisMock from 'ioredis-mock';

export class Redis extends RedisMock {
  /** The mock has no socket. */
  override readonly stream: InstanceType<typeof RedisMock>['stream'] = new Socket();

  constructor(...args: ConstructorParameters<typeof RedisMock>) {
    super(...args);
    // The mock emits `messageBuffer` only for what was published as a Buffer.
    this.on('message', (channel: string, text: string) => {
      this.emit('messageBuffer', Buffer.from(channel), Buffer.from(text));
    });
    // The mock has the commands as methods alone.
    const commands = this as unknown as Record<string, ((...args: unknown[]) => Promise<unknown>) | undefined>;
    const callBuffer = (command: string, args: readonly unknown[]): Promise<unknown> => {
      const method = commands[`${command.toLowerCase()}Buffer`];
      return method ? method.apply(this, [...args]) : Promise.reject(new Error(`the mock has no ${command}`));
    };
    Object.assign(this, { callBuffer });
  }
}
