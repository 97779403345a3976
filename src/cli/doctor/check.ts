/** What a check of `doctor` tells. */
import { BackendError } from '../../errors.ts';

/** `'unknown'`: what this user may not look at, or what does not apply. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'unknown';

/** The outcome of one check. */
export interface Check {
  /** `'eviction'` */
  readonly check: string;
  readonly status: CheckStatus;
  /** The server that it is about, where there are several. */
  readonly node?: string | undefined;
  /** What was found. */
  readonly found: string;
  /** What that means for results. */
  readonly means: string;
  /** The commands that change it, or what else to do; undefined when nothing is to be changed. */
  readonly change?: string | undefined;
}

/** What may not be looked at. @param grant - the rule that would allow it */
export function unread(check: string, command: string, grant: string): Check {
  return {
    check,
    status: 'unknown',
    found: `this user may not use ${command}, or the server has none`,
    means: 'it cannot be told from here, and results do not need it',
    change: `ACL SETUSER <user> ${grant}`,
  };
}

/** Whether Redis refused a command by itself, rather than being out of reach. */
export function isRefusal(error: unknown): error is BackendError {
  return error instanceof BackendError && error.code === 'CELERY_BACKEND_REFUSED';
}
