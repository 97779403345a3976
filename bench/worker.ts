/** A process of its own for each competitor: one heap, one event loop. Arguments: question, competitor, port, role. */
import { Redis } from 'ioredis';
import { competitors } from './competitors.ts';
import { type Bench, quiet, Worker } from './harness.ts';
import { questions } from './questions/index.ts';

const [questionName, competitorName, portText, role] = process.argv.slice(2);
const question = questions.find(({ name }) => name === questionName);
const competitor = competitors.find(({ name }) => name === competitorName);
if (!question || !competitor) throw new Error('worker.ts is started by run.ts');

const port = Number(portText);
const peer = await competitor.open(port, question.idle ?? false);
const admin = new Redis(port, '127.0.0.1');
const partner =
  question.assist && role === 'measure'
    ? new Worker([question.name, competitor.name, String(port), 'assist'])
    : undefined;
const bench: Bench = { peer, port, admin, assist: async (taskIds) => partner?.ask(taskIds) };

async function answer(request: readonly string[]): Promise<readonly number[]> {
  if (role === 'assist') {
    await question?.assist?.(peer, request);
    return [];
  }
  if (request.includes('prepare')) {
    await question?.prepare?.(bench);
    return [];
  }
  await quiet(bench);
  return (await question?.round(bench)) ?? [];
}

async function close(): Promise<void> {
  await partner?.stop();
  await Promise.all([peer.close(), admin.quit()]);
  process.exit();
}

process.on('message', (request) => {
  void answer(request as readonly string[]).then((figures) => process.send?.(figures));
});
process.once('disconnect', () => {
  void close();
});
