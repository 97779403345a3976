import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer as createPlainServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BackendError } from '../../src/errors.ts';
import { RedisBackend } from '../../src/index.ts';
import { DriverUnderTest } from '../support/driver.ts';
import { failure as failureOf } from '../support/failure.ts';
import { RedisServer } from '../support/redis.ts';

const failure = failureOf<BackendError>;

describe('a rediss:// URL', () => {
  let server: RedisServer;
  let front: Server;
  let folder: string;
  let cert: string;
  let address: string;

  beforeAll(async () => {
    server = await RedisServer.start();
    folder = mkdtempSync(join(tmpdir(), 'celery-redis-tls-'));
    cert = join(folder, 'cert.pem');
    const key = join(folder, 'key.pem');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const files = ['-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
      stdio: 'ignore',
    });
    front = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      const redis = connect(server.port, '127.0.0.1');
      socket.on('error', () => undefined).on('close', () => redis.destroy());
      redis.on('error', () => undefined).on('close', () => socket.destroy());
      socket.pipe(redis).pipe(socket);
    });
    front.on('tlsClientError', () => undefined);
    await once(front.listen(0, '127.0.0.1'), 'listening');
    address = `localhost:${(front.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    front.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['of a server whose CA is given connects', () => `rediss://${address}/0?ssl_ca_certs=${encodeURIComponent(cert)}`],
    ['that asks for no check connects', () => `rediss://${address}/0?ssl_cert_reqs=none`],
    [
      'that leaves the host name alone connects',
      () => `rediss://${address.replace('localhost', '127.0.0.1')}?ssl_check_hostname=no&ssl_ca_certs=${cert}`,
    ],
  ])('%s', async (_title, url) => {
    await using test = new DriverUnderTest({ url: url() });
    await expect(test.driver.store.read('absent')).resolves.toBeNull();
    await expect(test.driver.source.subscribe(['a'])).resolves.toEqual([null]);
  });

  it.each([
    ['a redis:// URL', () => ({ resultBackend: `redis://${address}` }), () => ({ ssl_ca_certs: cert })],
    ['a rediss:// URL', () => ({ resultBackend: `rediss://${address}` }), () => ({ sslCaCerts: cert })],
    [
      'redisHost and redisPort',
      () => ({ redisHost: 'localhost', redisPort: Number(address.split(':')[1]) }),
      () => ({ sslCertReqs: 'none' }),
    ],
  ])('or redisBackendUseSsl with %s makes TLS', async (_title, place, redisBackendUseSsl) => {
    const conf = { ...place(), redisBackendUseSsl: redisBackendUseSsl() };
    await using backend = new RedisBackend({ conf });
    await expect(backend.ping()).resolves.toEqual(expect.any(Number));
  });

  it('or redisBackendUseSsl: true verifies, and never sends a password in clear', async () => {
    const seen: Buffer[] = [];
    const plain = createPlainServer((socket) => {
      socket.on('error', () => undefined).on('data', (bytes) => seen.push(bytes));
    });
    plain.listen(0, '127.0.0.1').unref();
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    const conf = { resultBackend: `redis://:SECRET@127.0.0.1:${port}`, redisBackendUseSsl: true };
    await using backend = new RedisBackend({ conf }, { commandTimeout: 0.3, connectTimeout: 0.3 });
    await expect(failure(backend.ping())).resolves.toMatchObject({ code: 'CELERY_BACKEND_UNAVAILABLE' });
    expect(seen.length).toBeGreaterThan(0);
    expect(Buffer.concat(seen).toString('latin1')).not.toContain('SECRET');
    plain.close();
    await using verifying = new RedisBackend(
      { conf: { resultBackend: `redis://${address}`, redisBackendUseSsl: true } },
      { commandTimeout: 1 },
    );
    expect((await failure(verifying.ping())).message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  it.each([
    ['of a self-signed server is refused', () => `rediss://${address}`, /DEPTH_ZERO_SELF_SIGNED_CERT: its certificate/],
    [
      'of another host is refused',
      () => `rediss://${address.replace('localhost', '127.0.0.1')}?ssl_ca_certs=${cert}`,
      /ERR_TLS_CERT_ALTNAME_INVALID: its certificate is for another host name/,
    ],
    ['of a server without TLS explains itself', () => `rediss://127.0.0.1:${server.port}`, /TLS/],
    [
      'is asked for by the message when redis:// meets TLS',
      () => `redis://${address}`,
      /both sides or neither use TLS/,
    ],
  ])('%s', async (_title, url, message) => {
    await using test = new DriverUnderTest({ url: url(), commandTimeout: 1, connectTimeout: 0.5 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.code).toBe('CELERY_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(message);
  });

  it('of a server without TLS hints at it before the attempt has failed, as at the defaults', async () => {
    const url = `rediss://127.0.0.1:${server.port}`;
    await using test = new DriverUnderTest({ url, commandTimeout: 0.3, connectTimeout: 5 });
    const error = await failure(test.driver.store.read('key'));
    expect(error.message).toMatch(/check the address, and that both sides or neither use TLS/);
  });

  it('names the file that cannot be read', () => {
    expect(() => new DriverUnderTest({ url: 'rediss://h?ssl_ca_certs=/no/such.pem' })).toThrow(
      'ssl_ca_certs: cannot read /no/such.pem.',
    );
  });
});
