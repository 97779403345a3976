/** Asks questions of competitors. */
import { Redis } from 'ioredis';
import { type Competitor, ofQuestion, type Question } from './harness.ts';
import { Worker } from './processes.ts';
import type { Answer } from './report.ts';
import { keyOf, newIds, sample } from './sample.ts';
import { startServer } from './server.ts';

/** How to ask. */
export interface Asking {
  readonly competitors: readonly Competitor[];
  readonly port: number;
  /** Those that are counted. */
  readonly rounds: number;
  readonly quick: boolean;
  readonly execArgv: readonly string[];
}

interface Asked {
  readonly name: string;
  readonly worker: Worker;
  /** The figures of each round that counts. */
  readonly measured: (readonly number[])[];
  /** Why it is asked no more, and what it has measured counts no more. */
  failure: string | undefined;
}

/** Asks one question of those that can answer it. */
export async function ask(question: Question, asking: Asking): Promise<Answer[]> {
  const able = asking.competitors.filter(({ cannot }) => ofQuestion(cannot, question.name) === undefined);
  const asked = question.together ? await askTogether(question, able, asking) : await askInTurn(question, able, asking);
  return question.figures.map((figure, f) => ({
    question: question.name,
    ...figure,
    rounds: Object.fromEntries(
      asking.competitors.map(({ name }) => {
        const { measured = [], failure } = asked.find((each) => each.name === name) ?? {};
        return [name, failure === undefined ? measured.map((figures) => finite(figures[f])) : []];
      }),
    ),
    failures: Object.fromEntries(
      asked.flatMap(({ name, failure }) => (failure === undefined ? [] : [[name, failure]])),
    ),
  }));
}

const finite = (value = NaN): number | null => (Number.isFinite(value) ? value : null);

function start(question: Question, { name }: Competitor, port: number, { quick, execArgv }: Asking): Asked {
  const worker = new Worker({ question: question.name, competitor: name, port, role: 'measure', quick }, execArgv);
  return { name, worker, measured: [], failure: undefined };
}

/** Has it do something, unless it failed before: a competitor that breaks does not end the run of the others. */
async function request(one: Asked, what: 'prepare' | 'round', counts = false): Promise<void> {
  if (one.failure !== undefined) return;
  try {
    const figures = await one.worker.ask([what]);
    if (counts) one.measured.push(figures);
  } catch (error) {
    one.failure = error instanceof Error ? error.message : String(error);
  }
}

/** A round of each in turn, the order reversed each time. The first round warms up. */
async function askInTurn(question: Question, able: readonly Competitor[], asking: Asking): Promise<readonly Asked[]> {
  const rounds = Math.min(asking.rounds, question.rounds ?? Infinity);
  const asked = able.map((competitor) => start(question, competitor, asking.port, asking));
  try {
    for (const one of asked) await request(one, 'prepare');
    for (let round = 0; round <= rounds; round += 1) {
      for (const one of round % 2 === 0 ? asked : asked.toReversed()) await request(one, 'round', round > 0);
    }
  } finally {
    await Promise.all(asked.map(({ worker }) => worker.stop()));
  }
  return asked;
}

/** All at once, each on a server of its own: for what takes time but no processor. */
async function askTogether(question: Question, able: readonly Competitor[], asking: Asking): Promise<readonly Asked[]> {
  return Promise.all(
    able.map(async (competitor) => {
      const server = await startServer();
      const one = start(question, competitor, server.port, asking);
      try {
        await request(one, 'prepare');
        await request(one, 'round', true);
      } finally {
        await one.worker.stop();
        server.stop();
      }
      return one;
    }),
  );
}

/**
 * Checks that those which store as Celery does store the same bytes, but for the date.
 *
 * @throws Error with what they store
 */
export async function checkBytes(port: number, competitors: readonly Competitor[]): Promise<void> {
  const admin = new Redis(port, '127.0.0.1');
  const [id = ''] = newIds(1);
  const stored = new Set<string>();
  for (const competitor of competitors.filter(({ celery }) => celery)) {
    const peer = await competitor.open(port, true);
    await admin.del(keyOf(id));
    await peer.store(id, sample('0'));
    stored.add(String(await admin.get(keyOf(id))).replace(/(?<="date_done": ")[^"]+/, ''));
    await peer.close();
  }
  await admin.quit();
  if (stored.size > 1) throw new Error(`The competitors store different bytes:\n${[...stored].join('\n')}`);
}
