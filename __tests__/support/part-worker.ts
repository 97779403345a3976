/**
 * A process that returns parts of chords, as a TypeScript worker does: one JSON object a line, in and out.
 *
 *     -> {"parts": [{"task": "...", "group": "...", "index": 0, "body": {...}}]}
 *     <- {"outcomes": {"counting": 19, "sent": 1}}
 *
 * argv: the URL of Redis; what is SIGKILLed, if anything: 'before' or 'after' the body is sent. Bodies are pushed to the
 * list `bodies`, as a broker would.
 */
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { RedisBackend, type Signature } from '../../src/index.ts';
import type { Part } from './part-workers.ts';

const [, , url = '', killed = ''] = process.argv;
const WIDTH = 8;

const broker = new Redis(url);

async function applySignature(signature: Signature, args: readonly unknown[]): Promise<void> {
  if (killed === 'before') process.kill(process.pid, 'SIGKILL');
  await broker.lpush('bodies', JSON.stringify({ id: signature.options?.task_id, args, sender: 'TypeScript' }));
  if (killed === 'after') process.kill(process.pid, 'SIGKILL');
}

const backend = new RedisBackend({ applySignature }, { url, chordLease: 2 });

async function give({ task, group, index, body }: Part): Promise<void> {
  await backend.markAsDone(task, index, { request: { id: task, group, group_index: index, chord: body } });
}

async function giveAll(parts: readonly Part[]): Promise<void> {
  const left = parts.values();
  const one = async (): Promise<void> => {
    for (const part of left) await give(part);
  };
  await Promise.all(Array.from({ length: WIDTH }, one));
}

for await (const line of createInterface({ input: process.stdin })) {
  await giveAll((JSON.parse(line) as { parts: Part[] }).parts);
  process.stdout.write('{"done": true}\n');
}
await backend.close();
await broker.quit();
