/** Passwords by Sentinel, by TLS, and where none was given: whatever is refused, nothing shows one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { CHANNELS, listening } from '../support/events.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { SentinelDeployment } from '../support/sentinel.ts';
import { views } from '../support/views.ts';

/** Each holds this word. */
const SECRET = 'hunter2';
const MASTER = `${SECRET}-master`;
const SENTINEL = `${SECRET}-sentinel`;
const WRONG = `${SECRET}-wrong`;

/** Uses a backend in every way, closes it, and returns everything that is to be seen of it. */
async function seenOf(options: BackendOptions): Promise<string> {
  const seen: string[] = [];
  using heard = listening(CHANNELS, (message) => views(message));
  const onWarning = (warning: Error): void => void seen.push(views(warning));
  process.on('warning', onWarning);
  const retryPolicy = { maxRetries: 1, intervalStart: 0 };
  const backend = new RedisBackend({}, { commandTimeout: 2, retryPolicy, ...options });
  const use = async (): Promise<void> => {
    const calls = [
      backend.connect({ timeout: 2 }),
      backend.ping(),
      backend.getTaskMeta('t'),
      backend.storeResult('t', 1, 'SUCCESS'),
      backend.waitFor('x', { timeout: 2 }),
      backend.forget('t'),
    ];
    for (const end of await Promise.all(calls.map(outcome))) seen.push(views(end));
    seen.push(views(backend), backend.asUri(), backend.url, views(backend.stats()));
  };
  await use();
  await backend.close();
  await use();
  // Warnings are emitted in a later tick.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  expect(heard.told.length).toBeGreaterThan(0);
  return [...seen, ...heard.told].join('\n');
}

describe('by Sentinel', () => {
  let deployment: SentinelDeployment;
  beforeAll(async () => {
    deployment = await SentinelDeployment.start({ password: MASTER, sentinelPassword: SENTINEL });
  });
  afterAll(() => deployment.stop());

  it.each([
    ['nothing is refused', `:${MASTER}@`, SENTINEL, /"stored"|stored/],
    ['the sentinels refuse the password', `:${MASTER}@`, WRONG, /a sentinel refuses us: .*WRONGPASS/],
    ['the sentinels were given none', `:${MASTER}@`, undefined, /a sentinel refuses us: .*NOAUTH/],
    ['the master refuses the password', `:${WRONG}@`, SENTINEL, /refused the login for the default user \(WRONGPASS/],
    ['the master refuses the user', `who:${MASTER}@`, SENTINEL, /refused the login for user 'who' \(WRONGPASS/],
    ['the master was given none', '', SENTINEL, /refused the login for the default user \(NOAUTH/],
  ])('where %s', async (_title, login, password, expected) => {
    const sentinel = { masterName: 'mymaster', ...(password !== undefined && { password }) };
    const seen = await seenOf({ url: deployment.url(login), sentinel });
    expect(seen).toMatch(expected);
    expect(seen).not.toContain(SECRET);
  });
});

describe('by TLS', () => {
  let folder: string;
  let server: RedisServer;
  let port: number;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'celery-secrets-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject];
    execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    port = await freePort();
    const tls = ['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key];
    server = await RedisServer.start([...tls, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no']);
    await server.cli('ACL', 'SETUSER', 'known', 'on', `>${MASTER}`, '~*', '&*', '+@all');
    await server.cli('ACL', 'SETUSER', 'weak', 'on', `>${MASTER}`, '~*', '&*', '+@connection');
    await server.cli('ACL', 'SETUSER', 'default', 'resetpass', `>${MASTER}`);
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['nothing is refused', `known:${MASTER}@`, true, /stored/],
    ['the certificate is not trusted', `known:${MASTER}@`, false, /DEPTH_ZERO_SELF_SIGNED_CERT/],
    ['the password is refused', `known:${WRONG}@`, true, /refused the login for user 'known' \(WRONGPASS/],
    ['none was given', '', true, /refused the login for the default user \(NOAUTH/],
    ['commands are refused', `weak:${MASTER}@`, true, /refused GET celery-task-meta-t for user 'weak': NOPERM/],
  ])('where %s', async (_title, login, trusted, expected) => {
    const ca = trusted ? `?ssl_ca_certs=${encodeURIComponent(join(folder, 'cert.pem'))}` : '';
    const seen = await seenOf({ url: `rediss://${login}localhost:${port}/0${ca}`, connectTimeout: 2 });
    expect(seen).toMatch(expected);
    expect(seen).not.toContain(SECRET);
  });
});
