/** The service of examples/producer-service, on a backend in memory and a broker that keeps what it is sent. */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { RedisBackend } from 'celery-redis-backend';
import type { CanvasMessage } from 'celery-redis-backend/canvas';
import { memoryBackend } from 'celery-redis-backend/testing';
import type { FastifyInstance } from 'fastify';
import { createService } from '../../examples/producer-service/service.ts';

/** What the service said. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** A service that listens, until it is closed. */
export class ServiceUnderTest {
  readonly backend: RedisBackend = memoryBackend();
  readonly sent: CanvasMessage[] = [];
  readonly app: FastifyInstance;
  /** What the broker answers with instead of taking a message. */
  refuse: Error | undefined;

  private constructor() {
    this.app = createService({
      backend: this.backend,
      send: (message) => {
        if (this.refuse) throw this.refuse;
        this.sent.push(message);
      },
    });
  }

  static async start(): Promise<ServiceUnderTest> {
    const service = new ServiceUnderTest();
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    return service;
  }

  /** Closes the backend, too. */
  async close(): Promise<void> {
    await this.app.close();
  }

  /** Asks the service. @param body - to be posted, as JSON unless it is a text */
  async ask(path: string, body?: unknown): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: text };
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, body === undefined ? {} : post);
    const { status, headers } = response;
    const said = await response.text();
    const isJson = headers.get('content-type')?.startsWith('application/json');
    return { status, headers, text: said, json: isJson ? JSON.parse(said) : undefined };
  }

  /** Asks over a connection of its own. Resolves when it is asked, or was told `text`. */
  async open(path: string, text = ''): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    let told = '';
    while (!told.includes(text)) told += String((await once(socket, 'data'))[0]);
    return socket.resume();
  }

  /** How many sockets of clients there are. */
  connections(): Promise<number> {
    const { server } = this.app;
    return promisify(server.getConnections.bind(server))();
  }

  get #port(): number {
    return (this.app.server.address() as AddressInfo).port;
  }
}
