/** What is to be said of a server by its facts. */
import type { Topology } from '../../redis/topology.ts';
import { type Check, unread } from './check.ts';
import type { Facts } from './facts.ts';

const MIB = 1024 * 1024;
/** What is more shows in `date_done` and in lifetimes of the cache. */
const MOST_OFFSET_MS = 1000;
/** How full the memory may be. */
const FULL = 0.9;

/** All of them. @param kind - what the URL says that it is */
export function checkServer(facts: Facts, kind: Topology['kind']): readonly Check[] {
  return [
    checkVersion(facts),
    checkRole(facts, kind),
    checkEviction(facts),
    checkPersistence(facts),
    checkBuffers(facts),
    checkClock(facts),
  ];
}

function checkVersion({ info }: Facts): Check {
  const check = 'version';
  if (!info) return unread(check, 'INFO', '+info');
  const valkey = info.get('valkey_version');
  const version = info.get('redis_version') ?? '';
  const found = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6) {
    const means = 'there are no users with permissions (ACL), and this package is not tested with it';
    return { check, status: 'fail', found, means, change: 'upgrade to Redis 7 or Valkey' };
  }
  if (major === 6 && minor < 2) {
    const means = 'it works by its documentation, but any user may read every channel';
    return { check, status: 'warn', found, means, change: 'upgrade to Redis 7 or Valkey' };
  }
  return { check, status: 'ok', found, means: 'it is supported' };
}

function checkRole({ info }: Facts, kind: Topology['kind']): Check {
  const check = 'role';
  if (!info) return unread(check, 'INFO', '+info');
  const role = info.get('role') ?? 'unknown';
  const replicas = info.get('connected_slaves') ?? '0';
  const clustered = info.get('cluster_enabled') === '1';
  const found = `${role} with ${replicas} replicas${clustered ? ', node of a cluster' : ''}`;
  if (role !== 'master') {
    const master = `${info.get('master_host') ?? '?'}:${info.get('master_port') ?? '?'}`;
    const means = 'a replica takes no results, and shows those of its master late';
    return { check, status: 'fail', found, means, change: `give the URL of its master, ${master}, or sentinel://` };
  }
  if (clustered && kind !== 'cluster') {
    const means = 'results whose slots are on other nodes are refused';
    return { check, status: 'fail', found, means, change: 'write redis+cluster:// (or rediss+cluster://) in the URL' };
  }
  const means =
    replicas === '0' ? 'nothing takes over when it dies' : 'results that a replica has not had yet die with the master';
  return { check, status: 'ok', found, means };
}

function checkEviction({ info, config }: Facts): Check {
  const check = 'eviction';
  const policy = config?.get('maxmemory-policy') ?? info?.get('maxmemory_policy');
  const max = Number(config?.get('maxmemory') ?? info?.get('maxmemory'));
  if (policy === undefined || Number.isNaN(max)) return unread(check, 'INFO or CONFIG GET', '+info');
  const found = `maxmemory-policy ${policy}, maxmemory ${max === 0 ? '0 (no limit)' : size(max)}`;
  const change = 'CONFIG SET maxmemory-policy noeviction';
  if (policy.startsWith('allkeys-')) {
    const means =
      max === 0
        ? 'once there is a limit, Redis drops results, counters of chords, and queues of a broker that lives here'
        : 'when memory is full Redis drops results, counters of chords, and queues of a broker that lives here';
    return { check, status: max === 0 ? 'warn' : 'fail', found, means, change };
  }
  if (policy.startsWith('volatile-')) {
    const when = max === 0 ? 'once there is a limit' : 'when memory is full';
    const means = `${when} Redis drops results before they expire, since they are the keys with an expiry: who asks later finds PENDING`;
    return { check, status: 'warn', found, means, change };
  }
  const used = Number(info?.get('used_memory'));
  if (max > 0 && used > max * FULL) {
    const means = `${size(used)} are used: when memory is full, stores are refused`;
    return { check, status: 'warn', found, means, change: `CONFIG SET maxmemory ${max * 2}` };
  }
  return {
    check,
    status: 'ok',
    found,
    means: 'no result is dropped before it expires; without memory stores are refused',
  };
}

function checkPersistence({ info, config }: Facts): Check {
  const check = 'persistence';
  const append = config?.get('appendonly') ?? (info && (info.get('aof_enabled') === '1' ? 'yes' : 'no'));
  if (append === undefined) return unread(check, 'INFO or CONFIG GET', '+info');
  const save = config?.get('save');
  const shown = save === undefined ? 'save may not be read' : save === '' ? 'no snapshots' : `save ${save}`;
  const found = `appendonly ${append}, ${shown}`;
  if (info?.get('rdb_last_bgsave_status') === 'err' || info?.get('aof_last_write_status') === 'err') {
    const means = 'the last write to disk failed: Redis refuses stores (MISCONF) until one succeeds';
    return { check, status: 'fail', found, means, change: 'make room on the disk of the server, then BGSAVE' };
  }
  if (append === 'yes')
    return { check, status: 'ok', found, means: 'a restart keeps results, but for the last second' };
  const change = 'CONFIG SET appendonly yes';
  if (save === '') return { check, status: 'warn', found, means: 'a restart loses every result', change };
  const means = 'a restart loses the results since the last snapshot';
  return { check, status: save === undefined ? 'unknown' : 'ok', found, means, change };
}

/** `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60` */
function checkBuffers({ config }: Facts): Check {
  const check = 'output-buffer';
  const limits = config?.get('client-output-buffer-limit');
  const [, hardText, softText, secondsText] = /\bpubsub (\d+) (\d+) (\d+)/.exec(limits ?? '') ?? [];
  if (hardText === undefined) return unread(check, 'CONFIG GET', '+config|get');
  const [hard, soft, time] = [Number(hardText), Number(softText), Number(secondsText)];
  const bounds = [...(hard > 0 ? [size(hard)] : []), ...(soft > 0 ? [`${size(soft)} for ${time} s`] : [])];
  const found = `pubsub ${bounds.length > 0 ? bounds.join(', ') : 'without a limit'}`;
  const change = 'CONFIG SET client-output-buffer-limit "pubsub 33554432 8388608 60"';
  if (bounds.length === 0) {
    const means = 'a subscriber that hangs makes Redis keep all its messages in memory';
    return { check, status: 'warn', found, means, change };
  }
  if ((hard > 0 && hard < 8 * MIB) || (soft > 0 && soft < MIB)) {
    const means = 'larger results, or many at once, cut off those who wait; they come back and read, but late';
    return { check, status: 'warn', found, means, change };
  }
  const means = 'a subscriber that is behind by more is cut off; its waits come back and read';
  return { check, status: 'ok', found, means };
}

function checkClock({ clock }: Facts): Check {
  const check = 'clock';
  if (!clock) return unread(check, 'TIME', '+time');
  const { offsetMs, errorMs } = clock;
  const off = Math.abs(offsetMs);
  const found = `${off < MOST_OFFSET_MS ? 'within a second of' : `${(off / 1000).toFixed(1)} s ${offsetMs > 0 ? 'ahead of' : 'behind'}`} this machine`;
  if (off - errorMs <= MOST_OFFSET_MS)
    return { check, status: 'ok', found, means: 'dates of different machines compare' };
  const means = 'the date_done of results and how long they are kept in memory are off by as much where clocks differ';
  return { check, status: 'warn', found, means, change: 'let NTP set the clocks of both (timedatectl set-ntp true)' };
}

function size(bytes: number): string {
  return bytes >= MIB ? `${(bytes / MIB).toFixed(bytes % MIB === 0 ? 0 : 1)} MiB` : `${bytes} bytes`;
}
