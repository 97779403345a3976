/** Server-sent events. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';

/** Sends an event; resolves when the client takes more. */
export type Emit = (event: string, data: unknown) => Promise<void>;

/** Seconds between two comments, by which proxies and clients know that the stream is alive. */
const HEARTBEAT = 15;

/**
 * A stream of events as the body of a response. It ends when `produce` does, and breaks when that rejects, so that the
 * client comes again.
 *
 * @param produce - emits the events. Its signal is aborted once the stream is over, however that came
 */
export function eventStream(produce: (emit: Emit, signal: AbortSignal) => Promise<void>): Readable {
  const body = new PassThrough();
  const over = new AbortController();
  const { signal } = over;
  const heartbeat = setInterval(() => {
    if (!body.writableNeedDrain) body.write(':\n\n');
  }, HEARTBEAT * 1000);
  body.once('close', () => {
    clearInterval(heartbeat);
    over.abort();
  });
  let drained: Promise<unknown> | undefined;
  const emit: Emit = async (event, data) => {
    signal.throwIfAborted();
    if (body.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)) return;
    // One for all who emit.
    drained ??= once(body, 'drain', { signal }).finally(() => {
      drained = undefined;
    });
    await drained;
  };
  produce(emit, signal).then(
    () => body.end(),
    (error: unknown) => {
      // A client that has left is no error, and nobody is there to be told.
      if (!signal.aborted) body.destroy(error as Error);
    },
  );
  return body;
}
