/** Failed metas as other packages expect them: with the exception as data. */
import { encodeException } from '../exceptions.ts';
import type { ExceptionInfo, TaskMeta } from '../meta.ts';
import { EXCEPTION_STATES } from '../states.ts';

/** The result of a meta; that of a failure as it is stored, `{exc_type, exc_message, exc_module}`. */
export function plainResult({ status, result }: TaskMeta): unknown {
  return EXCEPTION_STATES.has(status) && result !== null ? encodeException(result).info : result;
}

/** The same for an error of our own making. */
export function infoOf(error: unknown): ExceptionInfo {
  return encodeException(error).info;
}

/** The stable code of an error; undefined where it has none. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
