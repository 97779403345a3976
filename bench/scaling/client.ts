/** A process of its own, with one backend as it is by default. Argument: its URL. Started by jobs.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisBackend } from '../../dist/esm/index.js';
import { type Answer, idOf, type Ids, type Job, type StoreJob, type WaitJob } from './jobs.ts';

/** Bytes of a meta whose result is an empty string. */
const ENVELOPE = 172;

const backend = new RedisBackend({}, { url: process.argv[2] ?? '' });
let waits: Promise<unknown>[] = [];

async function store({ bytes, lanes, ...ids }: StoreJob): Promise<void> {
  const value = 'x'.repeat(bytes - ENVELOPE);
  const one = (index: number): Promise<unknown> => backend.storeResult(idOf(ids.run, index), value, 'SUCCESS');
  if (lanes === undefined) {
    const stores: Promise<unknown>[] = [];
    await paced(ids, (index) => stores.push(one(index)));
    await Promise.all(stores);
    return;
  }
  const lane = async (from: number): Promise<void> => {
    for (let index = from; index < ids.count; index += lanes) await one(index);
  };
  await Promise.all(Array.from({ length: lanes }, (_, from) => lane(from)));
}

/** Calls `begin` for each index when it is due: at random moments, as independent events come. */
async function paced(
  { count, from = 0, step = 1, perSecond = Infinity }: Ids,
  begin: (index: number) => void,
): Promise<void> {
  let due = performance.now();
  for (let index = 0; index < count; index += 1) {
    due += (-Math.log(1 - Math.random()) * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 0) await sleep(Math.ceil(early));
    begin(from + index * step);
  }
}

async function wait({ run, ...ids }: WaitJob): Promise<void> {
  await paced({ run, ...ids }, (index) => {
    waits.push(backend.waitFor(idOf(run, index), { timeout: 600 }));
  });
}

async function perform(job: Job): Promise<void> {
  if (job.kind === 'store') await store(job);
  else if (job.kind === 'wait') await wait(job);
  else if (job.kind === 'settled') {
    await Promise.all(waits);
    waits = [];
  } else if (job.kind === 'collect') globalThis.gc?.();
}

async function answer(job: Job): Promise<Answer> {
  await perform(job);
  const { user, system } = process.cpuUsage();
  return { cpu: user + system };
}

process.on('message', (job) => {
  void answer(job as Job).then((figures) => process.send?.(figures));
});
process.once('disconnect', () => {
  void backend.close().then(() => process.exit());
});
