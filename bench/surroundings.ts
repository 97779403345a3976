/** Where and with what figures were measured. */
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Redis } from 'ioredis';
import { findCeleryPython } from '../__tests__/support/require-celery.ts';
import type { Competitor } from './harness.ts';
import { versionOf } from './packages.ts';

/** Machine and versions. */
export async function surroundings(
  admin: Redis,
  competitors: readonly Competitor[],
): Promise<Readonly<Record<string, string>>> {
  const processors = cpus();
  const load = loadavg().map((average) => average.toFixed(1));
  const version = (competitor: Competitor): string =>
    versionOf(competitor) ?? (competitor.absent ? findCeleryPython().celery : 'unknown');
  return {
    date: new Date().toISOString(),
    machine: `${processors.length} x ${processors[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()} ${arch()}, load ${load.join(' ')}`,
    node: process.version,
    redis: /^redis_version:(.*?)\r?$/m.exec(await admin.info('server'))?.[1] ?? 'unknown',
    ...Object.fromEntries(competitors.map((competitor) => [competitor.name, version(competitor)])),
  };
}
