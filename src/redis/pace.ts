/**
 * Keeps what comes over one socket from holding the event loop. Node reads a socket up to 32 times before it turns to
 * anything else, 64 KiB each time, and ioredis works each chunk off at once: of small messages that is 7,000 at a stretch.
 */
import type { Clock } from '../clock.ts';
import type { RedisSocket } from './client.ts';

/** How long chunks may be worked off at a stretch, in milliseconds. The one that goes over it is finished. */
const STRETCH_MS = 4;
/** A shorter chunk was all there was: that of a full socket has 64 KiB, or by TLS a record of 16 KiB. */
const FULL_CHUNK = 16 * 1024;

/**
 * Lets the event loop turn once chunks were worked off for a while. To be called when whoever works them off listens
 * already. What comes alone, as a single reply does, costs one comparison.
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
  socket.on('data', ({ length }) => {
    if (length < FULL_CHUNK) return;
    const now = clock.now();
    if (beganMs === undefined) {
      beganMs = now;
      setImmediate(turn);
    } else if (now - beganMs >= STRETCH_MS) {
      socket.pause();
      setImmediate(goOn);
    }
  });
}
