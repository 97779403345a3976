import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readServices, type RunningService, runPython, Stack } from '../support/compose.ts';
import { findCeleryPython } from '../support/require-celery.ts';

const services = readServices();

describe('docker-compose.yml', () => {
  const producers = ['typescript-producer', 'producer-service'];

  it('has a Redis, a worker of each language, and producers that need all three', () => {
    expect(Object.keys(services)).toEqual(['redis', 'python-worker', 'typescript-worker', ...producers]);
    for (const name of producers) {
      expect(services[name]?.depends_on).toEqual({
        redis: { condition: 'service_healthy' },
        'python-worker': { condition: 'service_started' },
        'typescript-worker': { condition: 'service_started' },
      });
    }
  });

  it('shows ports on the loopback interface only', () => {
    expect(Object.values(services).flatMap(({ ports = [] }) => ports)).toEqual([
      '127.0.0.1:${REDIS_PORT:-6379}:6379',
      '127.0.0.1:${PRODUCER_SERVICE_PORT:-8080}:${PRODUCER_SERVICE_PORT:-8080}',
    ]);
  });

  it('copies into its images only what is there', () => {
    const copied = Object.values(services).flatMap(({ build }) =>
      [...(build?.dockerfile_inline ?? '').matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, sources = '']) =>
        sources.split(' '),
      ),
    );
    expect(copied).toContain('src');
    expect(copied.filter((path) => !existsSync(path))).toEqual([]);
  });
});

describe(`the stack of docker-compose.yml on this machine, with Celery ${findCeleryPython().celery}`, () => {
  let stack: Stack;
  let producer: RunningService;

  beforeAll(async () => {
    stack = await Stack.prepare({ CELERY_TASK_QUEUE: 'of-python', TYPESCRIPT_TASK_QUEUE: 'of-typescript' });
    expect(await stack.isHealthy('redis')).toBe(false);
    producer = await stack.start('typescript-producer');
  });

  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
  });

  it('has a Redis that is found healthy', async () => {
    expect(await stack.isHealthy('redis')).toBe(true);
  });

  it('lets the producer get every result and leave with 0', async () => {
    expect([await producer.left(), producer.output]).toEqual([0, expect.any(String)]);
    const lines = producer.output.trimEnd().split('\n');
    expect(lines.filter((line) => !line.includes(' is at '))).toEqual([
      'python.add(2, 3) = 5',
      'python.progress(3) = 3',
      'python.fail("the card was declined") failed with CardDeclined: the card was declined',
      'typescript.add(2, 3) = 5',
      'typescript.progress(3) = 3',
      'typescript.fail("the card was declined") failed with CardDeclined: the card was declined',
    ]);
    expect(lines).toContain('python.progress(3) is at { current: 3, total: 3 }');
    expect(lines).toContain('typescript.progress(3) is at { current: 3, total: 3 }');
  });

  it('lets a Python producer get results of the TypeScript worker', () => {
    const printed = runPython(
      `from celery import group
from tasks import app
print(app.send_task('typescript.add', [2, 3]).get(timeout=5))
print(group(app.signature('typescript.add', [i, i]) for i in range(3))().get(timeout=5))
for name in ('typescript.fail', 'typescript.unknown'):
  try:
    app.send_task(name, ['no money']).get(timeout=5)
  except Exception as error:
    print(repr(error))`,
      'examples/stack',
      stack.environment('python-worker'),
    );
    expect(printed.trimEnd().split('\n')).toEqual([
      '5',
      '[0, 2, 4]',
      "CardDeclined('no money')",
      expect.stringContaining('typescript.unknown'),
    ]);
  });

  it('lets both workers serve one chord, whichever of them runs its body', () => {
    const printed = runPython(
      `from celery import chord
from tasks import app
for queue, body in (('of-python', 'python.total'), ('of-typescript', 'typescript.total')):
  header = [app.signature(f'{language}.add', (i, i)) for i in range(3) for language in ('python', 'typescript')]
  print(chord(header)(app.signature(body, queue=queue)).get(timeout=10))`,
      'examples/stack',
      stack.environment('python-worker'),
    );
    expect(printed.trimEnd().split('\n')).toEqual(['12', '12']);
  });

  it('lets the TypeScript worker end what it does when it is told to stop', async () => {
    const worker = await stack.start('typescript-worker');
    expect(await worker.stop()).toBe(0);
    expect(worker.output.trimEnd()).toMatch(/ left$/);
  });
});
