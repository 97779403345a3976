import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisBackend } from '../../src/index.ts';
import type { BackendError } from '../../src/index.ts';
import { failure as failureOf } from '../support/failure.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { findServer } from '../support/require-redis.ts';

const failure = failureOf<BackendError>;

describe('TLS to a sentinel and to the master that it names', () => {
  let folder: string;
  let master: RedisServer;
  let sentinel: ChildProcess;
  let sentinelPort: number;
  const file = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'celery-sentinel-tls-'));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const files = ['-keyout', file('key.pem'), '-out', file('cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
      stdio: 'ignore',
    });
    const tls = [
      'tls-cert-file',
      file('cert.pem'),
      'tls-key-file',
      file('key.pem'),
      'tls-ca-cert-file',
      file('cert.pem'),
    ];
    const options = [...tls, 'tls-auth-clients', 'no', 'tls-replication', 'yes'];
    const tlsPort = await freePort();
    sentinelPort = await freePort();
    master = await RedisServer.start(
      ['tls-port', String(tlsPort), ...options].map((word, index) => (index % 2 === 0 ? `--${word}` : word)),
    );
    const pairs = Array.from(
      { length: options.length / 2 },
      (_, i) => `${options[i * 2] ?? ''} ${options[i * 2 + 1] ?? ''}`,
    );
    const lines = [`port 0`, `tls-port ${sentinelPort}`, ...pairs, `dir ${folder}`];
    writeFileSync(
      file('sentinel.conf'),
      `${[...lines, `sentinel monitor mymaster 127.0.0.1 ${tlsPort} 1`].join('\n')}\n`,
    );
    sentinel = spawn(findServer(), [file('sentinel.conf'), '--sentinel'], { stdio: 'ignore' });
    const probe = new Redis({
      port: sentinelPort,
      tls: { rejectUnauthorized: false },
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    });
    probe.on('error', () => undefined);
    await probe.ping();
    probe.disconnect();
  });
  afterAll(async () => {
    const gone = once(sentinel, 'exit');
    sentinel.kill('SIGKILL');
    await Promise.all([gone, master.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function open(masterTls: object | undefined, sentinelKwargs: object): RedisBackend {
    return new RedisBackend({
      conf: {
        resultBackend: `sentinel://127.0.0.1:${sentinelPort}`,
        redisBackendUseSsl: masterTls,
        resultBackendTransportOptions: { masterName: 'mymaster', sentinelKwargs },
        redisSocketTimeout: 3,
      },
    });
  }

  it('is that of redisBackendUseSsl for the master, and of sentinelKwargs for the sentinel', async () => {
    const ca = { ssl_ca_certs: file('cert.pem') };
    await using backend = open(ca, { ssl: true, ...ca });
    await expect(backend.storeResult('id', 1, 'SUCCESS')).resolves.toBe('stored');
    await expect(backend.waitFor('id', { timeout: 20 })).resolves.toBe(1);
  });

  it.each<[string, () => object | undefined, () => object, RegExp]>([
    ['the sentinel', () => ({ ssl_cert_reqs: 'none' }), () => ({ ssl: true }), /self-signed/],
    ['the master', () => ({}), () => ({ ssl: true, ssl_ca_certs: file('cert.pem') }), /self-signed/],
    ['the sentinel, for want of TLS,', () => ({ ssl_cert_reqs: 'none' }), () => ({}), /out of reach/],
  ])('that %s is not trusted by is told', async (_title, masterTls, sentinelKwargs, message) => {
    await using backend = open(masterTls(), sentinelKwargs());
    const error = await failure(backend.getTaskMeta('id'));
    expect(error.message).toMatch(message);
  });
});
