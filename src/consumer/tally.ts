/** What waits came to, other than a result that was published in time; counted since the backend was made. */
import type { Clock } from '../clock.ts';
import { watched } from '../diagnostics.ts';
import type { Channel } from './channel.ts';

/** Figures for `stats()`, which has the meaning of each. */
export class Tally {
  healed = 0;
  rescued = 0;
  foundAtDeadline = 0;
  timeouts = 0;

  heal(channel: Channel, clock: Clock): void {
    this.healed += 1;
    const { taskId } = channel;
    watched('celery-redis-backend:healed')?.publish({ taskId, duration: lasted(channel, clock) });
  }

  rescue(channel: Channel, clock: Clock): void {
    this.rescued += 1;
    const { taskId } = channel;
    watched('celery-redis-backend:rescued')?.publish({ taskId, duration: lasted(channel, clock) });
  }
}

/** When a wait begins, if anyone listens for results that are late. */
export function noteSince(clock: Clock): number | undefined {
  const listened = watched('celery-redis-backend:healed') ?? watched('celery-redis-backend:rescued');
  return listened && clock.now();
}

function lasted({ since }: Channel, clock: Clock): number | undefined {
  return since === undefined ? undefined : (clock.now() - since) / 1000;
}
