/**
 * The main job in one go: one process stores results, another awaits them. `npm run demo`
 *
 * Runs on a Redis server of its own, which it stops again, or in memory where there is none.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RedisBackend, RemoteError } from 'celery-redis-backend';
import { ThrowAwayRedis } from './support/throw-away-redis.ts';

/** The first half warms up. */
const TASKS = Array.from({ length: 400 }, (_, i) => `task-${i}`);
const MEMORY = 'memory://demo';

/** Nanoseconds of the machine's clock, the same in every process. */
const now = (): number => Number(process.hrtime.bigint());
const milliseconds = (nanoseconds: number): string => `${(nanoseconds / 1e6).toFixed(2)} ms`;

class CardDeclined extends Error {}

/** What the storing side does. Every stored value is the moment it was stored at. */
async function store(url: string): Promise<void> {
  await using backend = new RedisBackend({}, { url });
  await backend.connect();
  for (const percent of [40, 80]) await backend.storeResult('invoice', { percent }, 'PROGRESS');
  await backend.storeResult('invoice', { total: 42, stored: now() }, 'SUCCESS');
  await backend.storeResult('payment', new CardDeclined('the card was declined'), 'FAILURE');
  for (const taskId of TASKS) {
    await backend.storeResult(taskId, now(), 'SUCCESS');
    await setTimeout(2);
  }
}

/** What the awaiting side does and tells. */
async function demonstrate(url: string, startStoring: () => void): Promise<void> {
  await using backend = new RedisBackend({}, { url });
  await backend.connect({ timeout: 30 });

  const invoice = backend.waitFor<{ total: number; stored: number }>('invoice', {
    timeout: 30,
    onMessage: ({ status, result }) => {
      if (status === 'PROGRESS') console.log('  PROGRESS ', result);
    },
  });
  const payment = backend.waitFor('payment', { timeout: 30 }).catch((error: unknown) => error);
  const latency = async (taskId: string): Promise<number> => {
    const stored = await backend.waitFor<number>(taskId, { timeout: 30 });
    return now() - stored;
  };
  const latencies = Promise.all(TASKS.map(latency));
  startStoring();

  const { total, stored } = await invoice;
  console.log(
    '  SUCCESS  ',
    { total },
    `awake ${milliseconds(now() - stored)} after it was stored (the first, with the connections still cold)`,
  );

  const error = await payment;
  if (!(error instanceof RemoteError)) throw new Error('expected the task to fail', { cause: error });
  console.log(`  FAILURE   ${error.name} ${error.code}, a ${error.excType}: ${error.message}`);

  const sorted = (await latencies).slice(TASKS.length / 2).sort((a, b) => a - b);
  const [median = NaN, p99 = NaN] = [0.5, 0.99].map((share) => sorted[Math.floor(share * sorted.length)]);
  const figures = `median ${milliseconds(median)}, p99 ${milliseconds(p99)}`;
  console.log(`  ${sorted.length} results, from store to awake: ${figures}`);

  const asked = now();
  for (const taskId of TASKS) await backend.waitFor(taskId);
  const each = milliseconds((now() - asked) / TASKS.length);
  console.log(`  asked again: each answered from the cache in ${each}, without Redis`);
}

/** Both sides on a server of our own, each in its process. */
async function onRedis(redis: ThrowAwayRedis): Promise<void> {
  let storing: ChildProcess | undefined;
  // However this process ends.
  process.once('exit', () => {
    storing?.kill();
    redis.stop();
  });
  for (const [signal, code] of [
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => process.exit(code));
  }
  console.log(`One process stores, another awaits, on a Redis of their own (${redis.url}):\n`);
  await demonstrate(redis.url, () => {
    storing = fork(fileURLToPath(import.meta.url), ['store', redis.url]);
    storing.once('exit', (code) => {
      if (code) process.exit(code);
    });
  });
}

async function main([role, url = MEMORY]: readonly string[]): Promise<void> {
  if (role === 'store') return store(url);
  const redis = await ThrowAwayRedis.start();
  if (redis) return onRedis(redis);
  console.log('No redis-server on PATH (`npm run setup` installs one), so in memory and in one process:\n');
  let storing: Promise<void> | undefined;
  await demonstrate(MEMORY, () => {
    storing = store(MEMORY);
  });
  await storing;
}

await main(process.argv.slice(2));
