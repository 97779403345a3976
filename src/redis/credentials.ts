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
 * @throws Error, which counts as a refused login, when it rejects, takes too long or answers with something else. What
 * the provider threw may hold a secret, so that only its name and code are told.
 */
export async function login(
  client: RedisClient,
  provider: CredentialsProvider,
  clock: Clock,
  timeoutMs: number,
): Promise<void> {
  const { username, password } = await ask(provider, clock, timeoutMs);
  client.options.username = username ?? null;
  client.options.password = password;
}

async function ask(provider: CredentialsProvider, clock: Clock, timeoutMs: number): Promise<Credentials> {
  const late = (): Error => loginRefused(`credentials: the provider did not answer within ${timeoutMs / 1000} s`);
  let answer: unknown;
  try {
    // In a promise, so that a provider that throws is one that rejects.
    const asked = Promise.resolve().then(provider);
    answer = await within(asked, clock, timeoutMs, late);
  } catch (error) {
    if (error instanceof Error && error.name === 'LoginRefused') throw error;
    throw loginRefused(`credentials: the provider failed (${nameOf(error)})`);
  }
  if (!isCredentials(answer)) {
    throw loginRefused('credentials: expected the provider to give { username?, password } of texts');
  }
  return answer;
}

function isCredentials(answer: unknown): answer is Credentials {
  if (typeof answer !== 'object' || answer === null) return false;
  const { username, password } = answer as Readonly<Record<string, unknown>>;
  return typeof password === 'string' && (username === undefined || typeof username === 'string');
}

/** `'AccessDenied'`, `'Error ECONNREFUSED'` */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`;
  const code = 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : '';
  return `${error.name}${code}`.slice(0, 100);
}
