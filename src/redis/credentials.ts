/** Logins that are asked for anew before each connection: tokens that expire, passwords that rotate. */
import type { Clock } from '../clock.ts';
import type { RedisClient } from './client.ts';
import { within } from './deadline.ts';
import { loginRefused } from './errors.ts';

/** Who we are to Redis. */
export interface Credentials {
  /** @default Redis's default user */
  readonly username?: string | undefined;
  readonly password: string;
}

/**
 * Gives the login of one connection. Asked before every attempt to connect, of each connection.
 *
 * @see the setting redis_backend_credential_provider of Celery 5.6
 */
export type CredentialsProvider = () => Credentials | Promise<Credentials>;

/**
 * Asks the provider and gives the client its answer.
 *
 * @param timeoutMs - how long the provider may take
 * @param stopped - aborted when nobody needs the answer any more
 * @throws Error, which counts as a refused login, when it rejects, takes too long or answers with something else. What
 * the provider threw may hold a secret, so that only its name and code are told.
 */
export async function login(
  client: RedisClient,
  provider: CredentialsProvider,
  clock: Clock,
  timeoutMs: number,
  stopped: AbortSignal,
): Promise<void> {
  const { username, password } = await ask(provider, clock, timeoutMs, stopped);
  client.options.username = username ?? null;
  client.options.password = password;
}

async function ask(
  provider: CredentialsProvider,
  clock: Clock,
  timeoutMs: number,
  stopped: AbortSignal,
): Promise<Credentials> {
  const late = (): Error => loginRefused(`credentials: the provider did not answer within ${timeoutMs / 1000} s`);
  try {
    // In a promise, so that a provider that throws is one that rejects.
    const asked = Promise.resolve().then(provider);
    return credentialsOf(await within<unknown>(asked, clock, timeoutMs, late, stopped));
  } catch (error) {
    if (error instanceof Error && error.name === 'LoginRefused') throw error;
    throw loginRefused(`credentials: the provider failed (${nameOf(error)})`);
  }
}

/** Reads each field once: it may be a getter, which may throw as well. */
function credentialsOf(answer: unknown): Credentials {
  const { username, password } = Object(answer) as Readonly<Record<string, unknown>>;
  if (typeof password === 'string' && (username === undefined || typeof username === 'string')) {
    return { username, password };
  }
  throw loginRefused('credentials: expected the provider to give { username?, password } of texts');
}

/** `'AccessDenied'`, `'Error ECONNREFUSED'` */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`;
  const code = 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : '';
  return `${error.name}${code}`.slice(0, 100);
}
