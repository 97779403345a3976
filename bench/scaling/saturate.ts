/** Stores from bare sockets, made ready beforehand, so that the server is what is busy. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createJsonSerializer } from '../../src/serializers/json.ts';
import { probedWrite } from '../../src/redis/scripts.ts';
import { idOf, newRun } from './jobs.ts';
import { empty, type Servers, spent } from './servers.ts';

/** What is sent for a store, and the bytes of its answer. */
export interface Kind {
  readonly words: (key: string, payload: string) => (readonly string[])[];
  readonly answer: number;
}

/** This package's script, as it is sent for one store. @param sha - what SCRIPT LOAD has answered */
export function guarded(sha: string): Kind {
  return { words: (key, payload) => [['EVALSHA', sha, '1', key, payload, '86400']], answer: '$1\r\n1\r\n'.length };
}

/** The two commands that it does, without the check, of no script. */
export const PLAIN: Kind = {
  words: (key, payload) => [
    ['SETEX', key, '86400', payload],
    ['PUBLISH', key, payload],
  ],
  answer: '+OK\r\n:0\r\n'.length,
};

/** Loads the script of a store. Command: SCRIPT LOAD. */
export async function loadScript({ admins: [admin] }: Servers): Promise<string> {
  const { lua } = probedWrite(createJsonSerializer().probe ?? '', 0);
  return String(await admin?.script('LOAD', lua));
}

/** How it is sent. `together`: stores of one write of a connection, which waits for their answers before the next. */
export interface Way {
  readonly bytes: number;
  readonly count: number;
  readonly connections: number;
  readonly together: number;
}

/** Of one store microseconds of CPU of the server; stores a second; and which part of the time the server was busy. */
export interface Saturation {
  readonly server: number;
  readonly perSecond: number;
  readonly busy: number;
}

/** Stores new results as fast as they are answered. */
export async function saturate(servers: Servers, kind: Kind, way: Way): Promise<Saturation> {
  const { bytes, count, connections, together } = way;
  const run = newRun();
  const batches: Buffer[] = [];
  for (let from = 0; from < count; from += together) {
    const stores = Array.from({ length: together }, (_, index) => {
      const start = `{"status": "SUCCESS", "result": "${from + index}`;
      return kind.words(`celery-task-meta-${idOf(run, from + index)}`, `${start.padEnd(bytes - 2, 'x')}"}`);
    });
    batches.push(Buffer.from(stores.flat().map(encode).join('')));
  }
  const port = Number(new URL(servers.url).port);
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const { cpu, seconds } = await spent(servers, () =>
    Promise.all(sockets.map((socket) => pump(socket, batches, kind.answer * together))),
  );
  for (const socket of sockets) socket.destroy();
  await empty(servers);
  return { server: cpu / count, perSecond: count / seconds, busy: cpu / 1e6 / seconds };
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay();
  await once(socket, 'connect');
  return socket;
}

/** Takes one batch after another, which several sockets share, until there are no more. */
function pump(socket: Socket, batches: Buffer[], answer: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let missing = 0;
    const next = (): void => {
      const batch = batches.pop();
      missing = answer;
      if (batch) socket.write(batch);
      else resolve();
    };
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      missing -= chunk.length;
      if (missing < 0) reject(new Error(`an answer that was not expected: ${String(chunk).slice(0, 200)}`));
      else if (missing === 0) next();
    });
    next();
  });
}
