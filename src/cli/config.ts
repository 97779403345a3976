/** Where Redis is and how it is spoken to: flags, then the environment, then `.env`. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { ImproperlyConfigured } from '../errors.ts';
import { configFromEnv } from '../env.ts';
import { defined } from '../option-checks.ts';
import { type BackendOptions, type ResolvedOptions, resolveOptions } from '../options.ts';
import { UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';

/** The flags that every command has. */
export interface CommonFlags {
  readonly url?: string | undefined;
  readonly serializer?: string | undefined;
  readonly accept?: readonly string[] | undefined;
  readonly keyPrefix?: string | undefined;
  readonly connectTimeout?: number | undefined;
  readonly commandTimeout?: number | undefined;
  /** A file to read instead of `.env`; false for none. Node takes `--env-file` for itself, wherever it stands. */
  readonly dotenv?: string | boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What Redis is reached with when nothing says where it is. */
const DEFAULT_URL = 'redis://localhost:6379/0';

/** Options for a backend. */
export interface Config {
  readonly options: BackendOptions;
  readonly url: string;
}

/** The variables: those of the environment, and of the file what it does not have. @throws UsageError */
export function readVariables(
  { dotenv }: Pick<CommonFlags, 'dotenv'>,
  { env, cwd }: Pick<Io, 'env' | 'cwd'>,
): Readonly<Record<string, string | undefined>> {
  if (dotenv === false) return env;
  const file = typeof dotenv === 'string' ? dotenv : '.env';
  try {
    return { ...parseEnv(readFileSync(resolve(cwd, file), 'utf8')), ...env };
  } catch (cause) {
    if (typeof dotenv !== 'string' && (cause as NodeJS.ErrnoException).code === 'ENOENT') return env;
    const code = (cause as NodeJS.ErrnoException).code ?? 'it is no such file';
    throw new UsageError(`--dotenv: cannot read ${file} (${code}).`, { cause });
  }
}

/**
 * The options of flags, variables and defaults, in this order.
 *
 * @throws UsageError, ImproperlyConfigured, SecurityError, ContentDisallowed, none of which shows a password
 */
export function readConfig(flags: CommonFlags, io: Pick<Io, 'env' | 'cwd'>): Config {
  const { url, serializer, accept: acceptContent, keyPrefix: globalKeyprefix, connectTimeout, commandTimeout } = flags;
  const given = { url, serializer, acceptContent, globalKeyprefix, connectTimeout, commandTimeout };
  const own = { connectionName: 'cli', ...configFromEnv(readVariables(flags, io)), ...defined(given) };
  const options: BackendOptions = { ...own, url: own.url ?? DEFAULT_URL };
  if (options.url?.startsWith('memory://')) {
    throw new UsageError('url: memory:// is within one process, so that there is nothing of it to be seen here.');
  }
  return { options, url: options.url ?? DEFAULT_URL };
}

/** The same, complete and checked. @throws ImproperlyConfigured */
export function resolveConfig({ options }: Config): ResolvedOptions {
  return resolveOptions(options, undefined);
}

/** Reads the seconds of a flag. @throws ImproperlyConfigured */
export function seconds(flag: string): (text: string) => number {
  return (text) => {
    if (/^(\d+\.?\d*|\.\d+)$/.test(text)) return Number(text);
    throw new ImproperlyConfigured(`${flag}: expected seconds, 0 or more.`);
  };
}

/** Reads the whole number of a flag, from 1. @throws ImproperlyConfigured */
export function count(flag: string): (text: string) => number {
  return (text) => {
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
    throw new ImproperlyConfigured(`${flag}: expected a whole number from 1.`);
  };
}
