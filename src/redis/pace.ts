/**
 * Keeps what comes over one socket from holding the event loop. Node reads a socket up to 32 times before it turns to
 * anything else, 64 KiB each time, and ioredis works each chunk off at once: of small messages that is 7,000 at a stretch.
 */
import type { Clock } from '../clock.ts';
import type { RedisSocket } from './client.ts';

/** How long chunks may be worked off at a stretch, in milliseconds. The one that goes over it is finished. */
const STRETCH_MS = 2;
/** A shorter chunk was all there was: that of a full socket has 64 KiB, or by TLS a record of 16 KiB. */
const FULL_CHUNK = 16 * 1024;

/**
 * Lets the event loop turn once chunks were worked off for a while. To be called when whoever works them off listens
 * already: it looks at the clock before them and after them. What comes alone, as a single reply does, costs two comparisons.
 */
export function pace(socket: RedisSocket, clock: Pick<Clock, 'now'>): void {
  let beganMs: number | undefined;
  const turn = (): void => {
    beganMs = undefined;
  };
  const goOn = (): void => {
    turn();
    socket.resume();
  };
  socket.prependListener('data', ({ length }) => {
    if (length < FULL_CHUNK || beganMs !== undefined) return;
    beganMs = clock.now();
    setImmediate(turn);
  });
  socket.on('data', ({ length }) => {
    if (length < FULL_CHUNK || beganMs === undefined || clock.now() - beganMs < STRETCH_MS) return;
    socket.pause();
    setImmediate(goOn);
  });
}
