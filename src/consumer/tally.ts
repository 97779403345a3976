/** What waits came to, other than a result that was published in time; counted since the backend was made. */
import { watched } from '../diagnostics.ts';

/** Figures for `stats()`, which has the meaning of each. */
export class Tally {
  healed = 0;
  rescued = 0;
  foundAtDeadline = 0;
  timeouts = 0;

  heal(taskId: string): void {
    this.healed += 1;
    watched('celery-redis-backend:healed')?.publish({ taskId });
  }

  rescue(taskId: string): void {
    this.rescued += 1;
    watched('celery-redis-backend:rescued')?.publish({ taskId });
  }
}
