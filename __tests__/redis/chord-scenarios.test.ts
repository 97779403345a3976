/**
 * Every chord that was recorded from real Celery, told again to this package: the same steps leave the same keys, types,
 * scores, members and times to live.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import {
  createJsonSerializer,
  RedisBackend,
  type Signature,
  type TaskMeta,
  type TaskRequest,
} from '../../src/index.ts';
import { RedisServer } from '../support/redis.ts';

interface Key {
  readonly type: string;
  readonly ttl: number;
  readonly value: unknown;
}

interface Step {
  readonly step: string;
  readonly returned: string;
  readonly commands: readonly (readonly string[])[];
  readonly keys_after: Readonly<Record<string, Key>>;
}

interface Scenario {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly steps: readonly Step[];
}

const json = createJsonSerializer();

const recordings = ['5.2', '5.6'].map((version) => {
  const file = new URL(`../fixtures/celery/celery-${version}.json`, import.meta.url);
  const { scenarios } = JSON.parse(readFileSync(file, 'utf8')) as { scenarios: readonly Scenario[] };
  return { version, scenarios };
});

/** The commands that say what was told to Celery's backend. */
const TOLD = new Set(['SET', 'SETEX', 'ZADD', 'RPUSH', 'INCRBY']);

/** Tells one scenario, command by command, to a backend. */
class Replay {
  readonly #backend: RedisBackend;
  readonly #server: RedisServer;
  readonly #body: Signature;
  readonly #metas = new Map<string, TaskMeta>();
  readonly #calls: Promise<unknown>[] = [];
  /** Whether the size is told twice, so that the chord may be complete before its last part. */
  readonly #isEarly: boolean;
  #partsLeft: number;
  #onLastPart!: () => void;
  readonly #lastPart: Promise<void>;
  /** What bodies were sent. */
  readonly sent: unknown[] = [];

  constructor(server: RedisServer, { config, steps }: Scenario) {
    const commands = steps.flatMap((step) => step.commands);
    this.#server = server;
    this.#body = { task: 'vec.body', options: { task_id: bodyIdOf(steps) ?? 'body' } };
    this.#partsLeft = commands.filter(([name]) => name === 'ZADD' || name === 'RPUSH').length;
    const sizes = commands.filter(([name, key = '']) => name === 'SETEX' && key.endsWith('.s'));
    this.#isEarly = sizes.length > 1;
    this.#lastPart = new Promise((resolve) => {
      this.#onLastPart = resolve;
    });
    const { result_expires, global_keyprefix, ...others } = config;
    const unordered = { result_chord_ordered: false };
    const applySignature = async (body: Signature, args: readonly unknown[]): Promise<void> => {
      // As recorded: in the scenario whose size is set anew, the body comes after the last part.
      await this.#lastPart;
      this.sent.push([body.options?.task_id, args]);
    };
    this.#backend = new RedisBackend(
      {
        conf: {
          resultBackendTransportOptions: {
            ...('result_chord_ordered' in others && unordered),
            ...(others['result_backend_transport_options'] as object | undefined),
            globalKeyprefix: global_keyprefix,
          },
        },
        applySignature,
      },
      { url: server.url, chordLease: 0.5, ...(result_expires === null && { expires: null }) },
    );
  }

  async tell({ commands }: Step): Promise<void> {
    for (const command of commands) if (TOLD.has(command[0] ?? '')) await this.#tell(command);
    if (this.#partsLeft === 0) await Promise.all(this.#calls);
  }

  close(): Promise<void> {
    return this.#backend.close();
  }

  async #tell([name = '', key = '', ...words]: readonly string[]): Promise<void> {
    const text = words.at(-1) ?? '';
    const [, groupId = '', suffix] = /celery-taskset-meta-(.*?)(\.[jts])?$/.exec(key) ?? [];
    if (suffix === '.t') await this.#backend.addToChord(groupId);
    else if (suffix === '.s') await this.#backend.setChordSize(groupId, Number(text));
    else if (suffix === '.j') await this.#part(key, groupId, name === 'ZADD' ? Number(words[0]) : 0, text);
    else if (groupId) expect(await this.#backend.applyChord(decoded(text)['result'] as never)).toBe('stored');
    else this.#task(key.replace(/.*celery-task-meta-/, ''), decoded(text) as TaskMeta);
  }

  /** What is stored of a task is told with its part, if it has one; the ChordError of a body is not told at all. */
  #task(taskId: string, meta: TaskMeta): void {
    const isPart = taskId !== this.#body.options?.task_id && meta.group_id !== undefined;
    if (isPart) this.#metas.set(taskId, meta);
    else if (!isChordError(meta)) this.#calls.push(this.#mark(taskId, meta, {}));
  }

  /** Goes on once the part is recorded: its call may wait for other parts. */
  async #part(key: string, groupId: string, score: number, member: string): Promise<void> {
    const [, taskId] = JSON.parse(member) as [number, string];
    const meta = this.#metas.get(taskId);
    if (!meta) throw new Error(`no meta of ${taskId}`);
    const index = Number.isFinite(score) ? score : null;
    const progress = { ended: false };
    const call = this.#mark(taskId, meta, { group: groupId, group_index: index, chord: this.#body }).finally(() => {
      progress.ended = true;
    });
    call.catch(() => undefined);
    this.#calls.push(call);
    const isThere = async (): Promise<boolean> => {
      const type = String(await this.#server.cli('TYPE', key));
      const members = type === 'none' ? [] : await this.#server.cli(type === 'list' ? 'LRANGE' : 'ZRANGE', key, 0, -1);
      return (members as readonly string[]).includes(member);
    };
    while (!(await isThere())) if (progress.ended) break;
    this.#partsLeft -= 1;
    if (this.#partsLeft === 0) this.#onLastPart();
    else if (!this.#isEarly) await call;
  }

  #mark(taskId: string, meta: TaskMeta, chord: Partial<TaskRequest>): Promise<unknown> {
    const { status, result, traceback, children, group_id: group, parent_id } = meta;
    const request = {
      id: taskId,
      ...(children && { children }),
      ...(group !== undefined && { group }),
      ...(parent_id !== undefined && { parent_id }),
      ...chord,
    };
    if (status === 'SUCCESS') return this.#backend.markAsDone(taskId, result, { request });
    return this.#backend.markAsFailure(taskId, result, { request, traceback: traceback ?? null });
  }
}

function decoded(text: string): Readonly<Record<string, unknown>> {
  return json.decode(Buffer.from(text)) as Record<string, unknown>;
}

function isChordError({ result }: { readonly result?: unknown }): boolean {
  return (result as { exc_type?: string } | null)?.exc_type === 'ChordError';
}

/** By what the recorder returned, or by the failure that was stored for it. */
function bodyIdOf(steps: readonly Step[]): string | undefined {
  const returned = /'body_id': '([^']+)'/.exec(steps.at(-1)?.returned ?? '')?.[1];
  if (returned !== undefined) return returned;
  const failed = steps
    .flatMap((step) => step.commands)
    .find(
      ([name, , , text = '']) =>
        name === 'SETEX' && text.startsWith('{"status": "FAILURE"') && isChordError(decoded(text)),
    );
  return failed?.[1]?.replace(/.*celery-task-meta-/, '');
}

async function keysOf(server: RedisServer): Promise<Record<string, Key>> {
  const names = (await server.cli('KEYS', '*')) as readonly string[];
  const found: Record<string, Key> = {};
  for (const name of names) {
    const type = String(await server.cli('TYPE', name));
    const ttl = Number(await server.cli('TTL', name));
    found[name] = { type, ttl, value: await valueOf(server, name, type) };
  }
  return found;
}

async function valueOf(server: RedisServer, name: string, type: string): Promise<unknown> {
  if (type === 'string') return { text: await server.cli('GET', name) };
  if (type === 'list') return ((await server.cli('LRANGE', name, 0, -1)) as string[]).map((text) => ({ text }));
  // In pairs by RESP3.
  const flat = ((await server.cli('ZRANGE', name, 0, -1, 'WITHSCORES')) as string[]).flat();
  return flat.flatMap((text, i) => (i % 2 === 0 ? [{ member: { text }, score: flat[i + 1] }] : []));
}

/** Without dates, and without what a traceback of Python says of a ChordError, or which children the task had that stored it. */
function comparable(keys: Readonly<Record<string, Key>>): unknown {
  return Object.fromEntries(
    Object.entries(keys).map(([name, { type, ttl, value }]) => {
      const { text } = value as { text?: string };
      const shown = text?.startsWith('{"status"') === true ? metaOf(text) : value;
      return [name, { type, ttl: ttl === -1 ? -1 : Math.round(ttl / 100) * 100, value: shown }];
    }),
  );
}

function metaOf(text: string): string {
  const undated = text.replace(/"date_done": "[^"]+"/, '"date_done": "..."');
  if (!isChordError(decoded(text))) return undated;
  return (
    undated
      .replace(/"traceback": "(?:[^"\\]|\\.)+\\n"/, '"traceback": "..."')
      .replace('"children": []', '"children": null')
      // Celery stores it with the request of the task that happened to be running.
      .replace(/"group_id": "[^"]+", /, '')
  );
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

describe.each(recordings)('chords as Celery $version has them', ({ scenarios }) => {
  it('are all told', () => {
    expect(scenarios.length).toBeGreaterThan(20);
  });

  it.each(scenarios)('$name leaves the same keys', async (scenario) => {
    await server.cli('FLUSHALL');
    const replay = new Replay(server, scenario);
    try {
      for (const step of scenario.steps) {
        await replay.tell(step);
        expect(comparable(await keysOf(server))).toEqual(comparable(step.keys_after));
      }
    } finally {
      await replay.close();
    }
    const deletes = scenario.steps.flatMap(({ commands }) => commands.filter(([name]) => name === 'DEL'));
    expect(replay.sent.length).toBe(deletes.length / 3);
  });
});
