/** A process of its own for each competitor: one heap, one event loop. Its argument is a `Part` as JSON. */
import { Redis } from 'ioredis';
import { competitors } from './competitors/index.ts';
import { type Bench, ofQuestion } from './harness.ts';
import { load, quiet } from './measure.ts';
import { type Part, Worker } from './processes.ts';
import { questions } from './questions/index.ts';

const part = JSON.parse(process.argv[2] ?? '{}') as Part;
const question = questions.find(({ name }) => name === part.question);
const competitor = competitors.find(({ name }) => name === part.competitor);
if (!question || !competitor) throw new Error('worker.ts is started by run.ts');

const CLOSING_MS = 5000;

type Answer = (request: readonly string[]) => Promise<readonly number[]>;

/** Answers requests and says what to do at the end. */
interface Role {
  readonly answer: Answer;
  readonly close: () => Promise<unknown>;
}

async function measuring(): Promise<Role> {
  if (!question || !competitor) throw new Error('unreachable');
  const peer = await competitor.open(part.port, question.idle ?? false);
  const admin = new Redis(part.port, '127.0.0.1');
  const assistant = question.assist ? new Worker({ ...part, role: 'assist' }) : undefined;
  const loader = question.name.startsWith('wake-') ? new Worker({ ...part, role: 'load' }) : undefined;
  const bench: Bench = {
    competitor,
    question: question.name,
    peer,
    port: part.port,
    quick: part.quick,
    admin,
    assist: async (taskIds) => (await assistant?.ask(taskIds)) ?? [],
    load: async (rate) => (await loader?.ask([String(rate)]))?.[0] ?? NaN,
  };
  const round = ofQuestion(competitor.rounds, question.name) ?? question.round.bind(question);
  return {
    answer: async ([request]) => {
      if (request === 'prepare') {
        await question.prepare?.(bench);
        return [];
      }
      await quiet(bench);
      const figures = await round(bench);
      await peer.rest?.();
      return figures;
    },
    close: () => Promise.all([assistant?.stop(), loader?.stop(), peer.close(), admin.quit()]),
  };
}

async function assisting(): Promise<Role> {
  if (!question || !competitor) throw new Error('unreachable');
  const peer = await competitor.open(part.port, question.idle ?? false);
  const assist = ofQuestion(competitor.assists, question.name);
  return {
    answer: async (taskIds) => {
      const answer = await (assist ? assist(peer, taskIds) : question.assist?.(peer, taskIds, part.port));
      await peer.rest?.();
      return Array.isArray(answer) ? (answer as number[]) : [];
    },
    close: () => peer.close(),
  };
}

function loading(): Promise<Role> {
  let stop: (() => Promise<number>) | undefined;
  return Promise.resolve({
    answer: async ([rate]) => {
      const achieved = (await stop?.()) ?? 0;
      stop = rate === '0' ? undefined : await load(part.port, Number(rate));
      return [achieved];
    },
    close: () => stop?.() ?? Promise.resolve(),
  });
}

const role = await { measure: measuring, assist: assisting, load: loading }[part.role]();

process.on('message', (request) => {
  void role.answer(request as readonly string[]).then((figures) => process.send?.(figures));
});
process.once('disconnect', () => {
  // Whoever started it is gone, and maybe the server with it.
  setTimeout(() => process.exit(), CLOSING_MS).unref();
  void role.close().finally(() => process.exit());
});
