import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { type BackendOptions, RedisBackend } from '../../src/index.ts';
import { outcome } from '../support/contract/context.ts';
import { CHANNELS, listening } from '../support/events.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { views } from '../support/views.ts';

const SECRET = 'hunter2-secret';
/** As a URL has it, and as text, so that neither form is looked for in vain. */
const PASSWORD = `${SECRET}/@`;
const inUrl = encodeURIComponent(PASSWORD);

let server: RedisServer;
let closedPort: number;

beforeAll(async () => {
  server = await RedisServer.start();
  closedPort = await freePort();
  const all = ['~*', '&*', '+@all'];
  await server.cli('ACL', 'SETUSER', 'known', 'on', `>${PASSWORD}`, ...all);
  await server.cli('ACL', 'SETUSER', 'weak', 'on', `>${PASSWORD}`, '~other:*', '+@connection');
});

afterAll(() => server.stop());

/** A backend's options and the user's name that it logs in by. */
interface Place {
  readonly title: string;
  /** The options by which the password is given, for a user at a port. */
  readonly options: (user: string, port: number) => BackendOptions;
}

const PLACES: readonly Place[] = [
  { title: 'the URL', options: (user, port) => ({ url: `redis://${user}:${inUrl}@127.0.0.1:${port}/0` }) },
  {
    title: 'credentials',
    options: (username, port) => ({
      url: `redis://127.0.0.1:${port}/0`,
      credentials: () => ({ username, password: PASSWORD }),
    }),
  },
  {
    title: 'the options of Sentinel',
    options: (user, port) => ({
      url: `sentinel://${user}:${inUrl}@127.0.0.1:${port}/0`,
      sentinel: { masterName: 'm', username: user, password: PASSWORD },
      connectTimeout: 0.2,
    }),
  },
  {
    title: 'a client with TLS',
    options: (user, port) => ({
      client: new Redis({
        host: '127.0.0.1',
        port,
        username: user,
        password: PASSWORD,
        tls: { passphrase: PASSWORD, servername: 'localhost' },
        lazyConnect: true,
      }),
      connectTimeout: 0.2,
    }),
  },
];

/** What goes wrong, by the user and the port. */
const TROUBLES: readonly (readonly [title: string, user: string, port: () => number])[] = [
  ['a refused connection', 'known', () => closedPort],
  ['WRONGPASS', 'nobody', () => server.port],
  ['NOPERM', 'weak', () => server.port],
  ['no trouble, then an outage', 'known', () => server.port],
];

function expectNoSecret(text: string): void {
  for (const form of [SECRET, PASSWORD, inUrl]) expect(text).not.toContain(form);
}

describe.each([...PLACES])('a password in $title', ({ options }) => {
  it.each([...TROUBLES])('is shown by nothing after %s', async (_title, user, port) => {
    const seen: string[] = [];
    using heard = listening(CHANNELS, (message) => views(message));
    const onWarning = (warning: Error): void => void seen.push(views(warning));
    process.on('warning', onWarning);
    try {
      const backend = new RedisBackend(
        {},
        { ...options(user, port()), commandTimeout: 0.5, retryPolicy: { maxRetries: 1, intervalStart: 0 } },
      );
      const use = async (): Promise<void> => {
        const calls = [
          backend.connect({ timeout: 0.5 }),
          backend.ping(),
          backend.getTaskMeta('t'),
          backend.storeResult('t', 1, 'SUCCESS'),
          backend.waitFor('x', { timeout: 0.3 }),
          backend.waitFor('x', { timeout: 0 }),
          backend.forget('t'),
        ];
        for (const end of await Promise.all(calls.map(outcome))) seen.push(views(end));
        seen.push(views(backend), backend.asUri(), backend.url, views(backend.stats()));
      };
      await use();
      // The links break, and come back.
      await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await use();
      await backend.close();
      await use();
    } finally {
      // Warnings are emitted in a later tick.
      await new Promise((resolve) => setImmediate(resolve));
      process.off('warning', onWarning);
    }
    expect(heard.told.length).toBeGreaterThan(0);
    expectNoSecret([...seen, ...heard.told].join('\n'));
  });
});
