/** Breaks what a plan says, and tells how it came about. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultRecord } from './history.ts';
import type { Link } from './link.ts';
import type { FaultKind, FaultPlan, Layers } from './plan.ts';
import type { Stage } from './stage.ts';

/** Milliseconds that our own event loop stands still. */
const STALL_MS = 80;
const DELAY_MS = 60;
/** The longest pause between two attempts to connect. */
const LONGEST_PAUSE_MS = 5000;
/** Milliseconds that a link takes to be made anew, with its subscriptions, once it is known to be dead. */
const RECOVERY_MS = 700;
/** Milliseconds of acknowledged stores that a master may not have passed on when it dies. */
const REPLICATION_MS = 1000;

const OF_LINKS: ReadonlySet<FaultKind> = new Set([
  'cut',
  'reset',
  'partial',
  'silence',
  'handshake',
  'swallow',
  'refuse',
  'delay',
  'pieces',
]);
const LOSES: ReadonlySet<FaultKind> = new Set(['wipe', 'failover', 'killMaster', 'hangMaster']);

/** Carries out one fault after another, all at once where they overlap. */
export class Breaker {
  readonly #stage: Stage;
  readonly #layers: Layers;
  readonly #now: () => number;
  readonly records: FaultRecord[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(stage: Stage, layers: Layers, now: () => number) {
    this.#stage = stage;
    this.#layers = layers;
    this.#now = now;
  }

  /** Resolves when it is whole again. */
  async break(plan: FaultPlan): Promise<void> {
    const work = this.#break(plan);
    this.#underWay.add(work);
    await work;
    this.#underWay.delete(work);
  }

  /** Resolves when everything is whole again. */
  async done(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #break(plan: FaultPlan): Promise<void> {
    const link = OF_LINKS.has(plan.kind) ? this.#linkOf(plan) : undefined;
    const at = this.#now();
    const record: FaultRecord = {
      plan,
      by: link && plan.by,
      at,
      end: Infinity,
      noticedBy: link ? at + this.#noticeMs(plan, link) : at,
      loses: LOSES.has(plan.kind) ? { from: plan.kind === 'wipe' ? 0 : at - REPLICATION_MS, to: Infinity } : undefined,
    };
    this.records.push(record);
    const down = await this.#carryOut(plan, link);
    if (record.loses) record.loses.to = this.#now();
    await Promise.all(down.map((each) => reached(each)));
    record.end = this.#now();
  }

  /** Returns the links that were down. */
  async #carryOut(plan: FaultPlan, link: Link | undefined): Promise<readonly Link[]> {
    if (link) {
      const used = link.open > 0;
      await this.#breakLink(plan, link);
      return used ? [link] : [];
    }
    if (plan.kind === 'stall') {
      stall();
      return [];
    }
    const places = await this.#stage.act(plan);
    return this.#stage.links.flatMap((links) => places.flatMap((place) => links[place] ?? []));
  }

  #linkOf({ by, link }: FaultPlan): Link {
    const links = this.#stage.links[by] ?? [];
    const found = links[link % links.length];
    if (!found) throw new Error(`process ${by} has no link`);
    return found;
  }

  /** Milliseconds after which a heartbeat has found out what only a heartbeat can; 0 for what shows by itself. */
  #noticeMs({ kind, way, length }: FaultPlan, link: Link): number {
    const { heartbeat, deadAfter } = this.#layers;
    if (kind === 'handshake') return length + deadAfter * 1000 + RECOVERY_MS;
    if (kind !== 'silence') return 0;
    // Bytes that come after the PING, other than its PONG, are those of a busy server, which gets a second chance.
    const again = (way.includes('down') ? link.asked : true) ? deadAfter * 1000 : 0;
    return (heartbeat + deadAfter) * 1000 + again + RECOVERY_MS;
  }

  async #breakLink({ kind, length, way, bytes }: FaultPlan, link: Link): Promise<void> {
    switch (kind) {
      case 'cut':
      case 'reset':
        link.cut(kind === 'reset');
        break;
      case 'partial':
        await Promise.race([link.cutAfter(bytes), delay(length)]);
        break;
      case 'silence':
        link.silence(way);
        break;
      case 'handshake':
        link.hang(true);
        link.cut(true);
        await delay(length);
        link.hang(false);
        break;
      case 'swallow':
        link.hold(way);
        await delay(length);
        link.release();
        break;
      case 'refuse':
        link.refuse(true);
        link.cut(true);
        await delay(length);
        link.refuse(false);
        break;
      case 'delay':
        link.delay(DELAY_MS);
        await delay(length);
        link.delay(0);
        break;
      default:
        link.pieces(true);
        await delay(length);
        link.pieces(false);
    }
  }
}

function stall(): void {
  const end = performance.now() + STALL_MS;
  while (performance.now() < end);
}

/** Resolves when there is a connection again, or another was attempted: between two attempts there are pauses. */
async function reached(link: Link): Promise<void> {
  const { attempts } = link;
  const end = performance.now() + LONGEST_PAUSE_MS;
  while (attempts > 0 && link.open === 0 && link.attempts === attempts && performance.now() < end) await delay(5);
}
