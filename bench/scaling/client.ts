/** A process of its own, with one backend as it is by default. Argument: its URL. Started by jobs.ts. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisBackend } from '../../dist/esm/index.js';
import {
  type Answer,
  idOf,
  type Ids,
  type Job,
  type ReadJob,
  type RestJob,
  type StoreJob,
  type WaitJob,
} from './jobs.ts';

/** Bytes of a meta whose result is an empty string. */
const ENVELOPE = 172;

const backend = new RedisBackend({}, { url: process.argv[2] ?? '' });
const delay = monitorEventLoopDelay({ resolution: 20 });
delay.enable();
let waits: Promise<unknown>[] = [];

async function store({ run, from, count, bytes, together, lanes = 1, perSecond }: StoreJob): Promise<void> {
  const value = 'x'.repeat(bytes - ENVELOPE);
  const group = (first: number, size: number): Promise<unknown> =>
    Promise.all(
      Array.from({ length: size }, (_, index) => backend.storeResult(idOf(run, first + index), value, 'SUCCESS')),
    );
  if (perSecond !== undefined) {
    const stores: Promise<unknown>[] = [];
    await paced({ run, from, count }, perSecond, (index) => stores.push(group(index, 1)));
    await Promise.all(stores);
    return;
  }
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + count) {
      const first = next;
      const size = Math.min(together, from + count - first);
      next += size;
      await group(first, size);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function read({ run, from, count, together }: ReadJob): Promise<void> {
  for (let next = from; next < from + count; next += together) {
    await Promise.all(Array.from({ length: together }, (_, index) => backend.getResult(idOf(run, next + index))));
  }
}

/** Calls `begin` for each index, when it is due. */
async function paced({ from, count }: Ids, perSecond: number, begin: (index: number) => void): Promise<void> {
  const start = performance.now();
  for (let done = 0; done < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - start) * perSecond) / 1000) + 1);
    for (; done < due; done += 1) begin(from + done);
    await sleep(1);
  }
}

async function wait({ run, from, count, perSecond = Infinity }: WaitJob): Promise<void> {
  const begin = (index: number): unknown => waits.push(backend.waitFor(idOf(run, index), { timeout: 600 }));
  if (perSecond !== Infinity) {
    await paced({ run, from, count }, perSecond, begin);
    return;
  }
  for (let index = from; index < from + count; index += 1) begin(index);
}

async function rest({ count, perSecond, seconds = 0 }: RestJob): Promise<void> {
  if (perSecond === undefined) await sleep(seconds * 1000);
  else await paced({ run: 0, from: 0, count }, perSecond, () => undefined);
}

async function run(job: Job): Promise<void> {
  if (job.kind === 'store') await store(job);
  else if (job.kind === 'read') await read(job);
  else if (job.kind === 'wait') await wait(job);
  else if (job.kind === 'rest') await rest(job);
  else if (job.kind === 'settled') {
    await Promise.all(waits);
    waits = [];
  } else if (job.kind === 'heap') {
    await sleep(100);
    globalThis.gc?.();
  }
}

async function answer(job: Job): Promise<Answer> {
  await run(job);
  const { user, system } = process.cpuUsage();
  const stall = delay.max / 1e6;
  delay.reset();
  return { cpu: user + system, heap: process.memoryUsage().heapUsed, stall, reconnects: backend.stats().reconnects };
}

process.on('message', (job) => {
  void answer(job as Job).then((figures) => process.send?.(figures));
});
process.once('disconnect', () => {
  void backend.close().then(() => process.exit());
});
