/** What is on its way to Redis. */
import type { RedisStream } from './client.ts';

/** One MiB earns a second. */
export const MIB: number = 2 ** 20;

/** Bytes of the commands of each socket that have no answer yet. */
const unanswered = new WeakMap<RedisStream, number>();

/** Notes bytes that are sent now; with a minus those that have their answer. */
export function addTraffic(stream: RedisStream, bytes: number): void {
  unanswered.set(stream, (unanswered.get(stream) ?? 0) + bytes);
}

/**
 * Bytes that may have to arrive before anything that is sent now. `writableLength` alone is too little: the kernel, and
 * whatever lies between, take in several MiB that are far from being there.
 */
export function traffic(stream: RedisStream): number {
  return Math.max(stream.writableLength, unanswered.get(stream) ?? 0);
}
