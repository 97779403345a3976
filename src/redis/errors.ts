/**
 * ioredis's errors, made fit to be seen. Those carry the command they belong to, and with it passwords and payloads, so
 * none is ever passed on: what leaves this package is a copy of the message and the code.
 */
import { BackendError } from '../errors.ts';
import { type Call, sizeAdvice } from './call.ts';
import { grantFor, isDenied, type Needs } from './permissions.ts';

/** Whether Redis said this, rather than ioredis or the system. */
export function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}

/** Redis 6 wraps what a script raised; the code is inside. */
const SCRIPT_ERROR = /^ERR Error running script \(call to \S+\): @\S+ (?:@\S+ \d+: )?-?/;
/** Redis 7 appends where a script raised it. */
const SCRIPT_POSITION = / script: [0-9a-f]{40}, on @\S+\.$/;
/** Redis repeats the arguments of a command it does not know. */
const ECHOED_ARGUMENTS = /,? with args beginning with:.*/s;
const MAX_MESSAGE = 300;
const MAX_NAME = 64;

function cleanMessage(message: string): string {
  const text = message
    .replace(SCRIPT_ERROR, '')
    .replace(ECHOED_ARGUMENTS, '')
    .replace(SCRIPT_POSITION, '')
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    .replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

/** The first word of an error reply: `'WRONGTYPE'`; `'NOPERM'` also for what a script was refused. */
export function replyOf(error: Error): string {
  const message = cleanMessage(error.message);
  return isDenied(message) ? 'NOPERM' : (/^[A-Z]+/.exec(message)?.[0] ?? 'ERR');
}

/** The `code` of a system or TLS error. */
export function systemCode(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A copy of the message and the code, and of nothing else. */
export function sanitise(error: Error): Error {
  const code = systemCode(error);
  // An AggregateError, which Node makes of several refused addresses, has no message of its own.
  const message = cleanMessage(error.message);
  const copy = new Error(message === '' ? (code ?? error.name) : message);
  copy.name = error.name;
  return code === undefined ? copy : Object.assign(copy, { code });
}

/** What a node of a cluster says to those who take it for a server of its own. */
const OF_CLUSTERS: ReadonlySet<string> = new Set(['MOVED', 'ASK', 'CROSSSLOT']);

function remedyFor(reply: string, message: string, needs: Needs): string {
  if (OF_CLUSTERS.has(reply)) return ' (this is a node of a cluster: connect with redis+cluster://)';
  const grant = grantFor(message, needs);
  return grant === undefined ? '' : ` (allow it: ${grant})`;
}

/**
 * The error of a call that Redis answered with an error. For want of a permission it says how to grant it.
 *
 * @param what - the call: `'GET celery-task-meta-1'`
 */
export function refused(what: string, error: Error, needs: Needs = {}): BackendError {
  const cause = sanitise(error);
  const reply = replyOf(error);
  const remedy = remedyFor(reply, cause.message, needs);
  return new BackendError(`Redis refused ${what}${forUser(error, needs.user)}: ${cause.message}${remedy}`, {
    code: 'CELERY_BACKEND_REFUSED',
    reply,
    cause,
  });
}

/** Replies that another user would not have had. */
const CONCERNS_USER = /^(NOPERM|NOAUTH|WRONGPASS)$/;

/** `" for user 'worker'"` where that is what Redis refused; else empty. */
export function forUser(error: Error | undefined, user: string | undefined): string {
  return error && user !== undefined && isReply(error) && CONCERNS_USER.test(replyOf(error)) ? ` for ${user}` : '';
}

/** A user of Redis, for messages: `"user 'worker'"`, `'the default user'`. */
export function describeUser(name: string | null | undefined): string {
  return name ? `user '${cleanMessage(name).slice(0, MAX_NAME)}'` : 'the default user';
}

/** The error of a call that had no answer. */
export function unavailable(message: string, cause?: Error): BackendError {
  return new BackendError(message, { code: 'CELERY_BACKEND_UNAVAILABLE', cause });
}

/** The same for a call during which the link broke. Redis hangs up on what is too large for it, most often before anyone has read why. */
export function broken(
  address: string,
  call: Pick<Call<unknown>, 'what' | 'bytes'>,
  reason: string,
  cause: Error,
): BackendError {
  return unavailable(
    `The link to Redis at ${address} broke during ${call.what} (${reason}).${sizeAdvice(call)}`,
    cause,
  );
}

/** What failed before there was a handshake, and is to count as its refusal. `message` holds no secret. */
export function loginRefused(message: string): Error {
  return Object.assign(new Error(message), { name: 'LoginRefused' });
}

/** Whether the same handshake will fail again: wrong password, user or database, or no login to try. */
export function isLoginRefusal(error: Error): boolean {
  if (error.name === 'LoginRefused') return true;
  return isReply(error) && /^(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|DB index|SELECT is not/.test(error.message);
}

const ADVICE_BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is Redis running there?',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not open the socket',
  ETIMEDOUT: 'nothing answered in time; check the address, firewalls, and that both sides or neither use TLS',
  ECONNRESET: 'it hung up; check maxclients, protected mode, and that both sides or neither use TLS',
  EPIPE: 'it hung up; check maxclients and protected mode',
  EPROTO: 'it does not speak TLS; try redis:// instead of rediss://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; try redis:// instead of rediss://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS; try redis:// instead of rediss://',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; give its CA with ssl_ca_certs',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown CA; give it with ssl_ca_certs',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown CA; give it with ssl_ca_certs',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown CA; give it with ssl_ca_certs',
};

const ADVICE_BY_REPLY: readonly (readonly [RegExp, string])[] = [
  [/WRONGPASS|invalid password/, 'check user name and password'],
  [/NOAUTH/, 'it asks for a password'],
  [/NOPERM/, 'check the permissions of this user (ACL)'],
  [/DB index|SELECT is not/, 'check the database number'],
  [/max number of clients/, 'raise maxclients or close other clients'],
  [/DENIED/, 'protected mode: set a password, or protected-mode no'],
];

/** What the parsers of ioredis 5 and 6 say of bytes that are no reply. */
const NO_REPLY = /^(Protocol error, got|Unknown RESP type) /;

/** What to check, in a few words. */
export function advice(error: Error): string {
  if (NO_REPLY.test(error.message)) return 'what answers there is not Redis; check host and port';
  const code = systemCode(error);
  const known = code === undefined ? undefined : ADVICE_BY_CODE[code];
  if (known !== undefined) return `${code ?? ''}: ${known}`;
  const message = sanitise(error).message;
  const grant = grantFor(message);
  const hint =
    grant === undefined ? ADVICE_BY_REPLY.find(([pattern]) => pattern.test(message))?.[1] : `allow it: ${grant}`;
  return hint === undefined ? message : `${message} (${hint})`;
}
