/** What the process ends with, so that scripts can tell. The highest that applies wins, in this order. */
import { BackendError, CeleryError, ImproperlyConfigured, InvalidArgumentError, TimeoutError } from '../errors.ts';

/** The exit codes. */
export const EXIT = {
  /** All was done, and no task failed. */
  success: 0,
  /** A task failed or was revoked, or a group is not there. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** The limit passed before all tasks were ready. */
  timeout: 3,
  /** Redis could not be reached or refused, or what it holds cannot be read. */
  backend: 4,
  /** SIGINT, as of a shell: 128 + 2. */
  interrupted: 130,
  /** SIGTERM: 128 + 15. */
  terminated: 143,
} as const;

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What was asked for cannot be done as it was asked. */
export class UsageError extends Error {}

const ORDER: readonly ExitCode[] = [EXIT.success, EXIT.failed, EXIT.timeout, EXIT.backend, EXIT.usage];

/** The code for both of two outcomes: usage over backend over timeout over a failed task. */
export function worse(one: ExitCode, other: ExitCode): ExitCode {
  return ORDER.indexOf(one) >= ORDER.indexOf(other) ? one : other;
}

/** The code for what was thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError || error instanceof ImproperlyConfigured || error instanceof InvalidArgumentError) {
    return EXIT.usage;
  }
  return error instanceof TimeoutError ? EXIT.timeout : EXIT.backend;
}

/** The message of an error for one line: with that of its cause, where the error alone does not say why. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error;
  // What is no error of ours is a defect: where it happened matters.
  if (!(error instanceof CeleryError || error instanceof UsageError)) return error.stack ?? message;
  if (!(cause instanceof BackendError) || message.includes(cause.message)) return message;
  return `${message.replace(/\.$/, '')}: ${cause.message}`;
}
