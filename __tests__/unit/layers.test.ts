import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const SRC = resolve('src');

/** Files by layer, lowest first. A file may import from lower layers, from its own folder's siblings, and from its own layer. */
const LAYERS: readonly (readonly string[])[] = [
  [
    'states.ts',
    'errors.ts',
    'meta.ts',
    'settled.ts',
    'schema.ts',
    'signature.ts',
    'ports.ts',
    'clock.ts',
    'dates.ts',
    'diagnostics.ts',
    'redis/client.ts',
    'pauses.ts',
    'abandonable.ts',
    'turns.ts',
    'backlog.ts',
    'store-job.ts',
    'chords/state.ts',
    'chords/part-prefixes.ts',
  ],
  ['keys.ts', 'exception-text.ts', 'exceptions.ts', 'serializers/', 'retry.ts', 'setting-table.ts'],
  ['tuples.ts', 'invalid-result.ts', 'python-repr.ts', 'request.ts', 'cache.ts', 'redis/options.ts'],
  ['codec.ts'],
  [
    'option-checks.ts',
    'settings.ts',
    'options.ts',
    'env.ts',
    'store-events.ts',
    'storer.ts',
    'patient-store.ts',
    'reader.ts',
    'consumer/',
    'memory/',
    'redis/',
  ],
  ['arguments.ts', 'stream.ts'],
  ['loader.ts'],
  ['load-within.ts'],
  ['groups.ts', 'waiting.ts', 'writer.ts', 'errbacks.ts'],
  ['chords/body.ts', 'chords/lease.ts'],
  ['chords/results.ts'],
  ['chords/chords.ts'],
  ['worker.ts'],
  ['parts.ts', 'result-node.ts'],
  ['awaiting.ts', 'checked-source.ts'],
  ['backend.ts', 'dependencies.ts', 'follow-parents.ts', 'joining.ts', 'task-view.ts'],
  ['result-set.ts'],
  ['result.ts'],
  ['typed.ts'],
  ['redis/backend.ts'],
  ['canvas/'],
  ['adapters/'],
  ['index.ts'],
  ['opentelemetry/', 'testing/'],
  ['cli/'],
];

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : path.endsWith('.ts') ? [relative(SRC, path)] : [];
  });
}

/** What a file imports from this package, and from elsewhere. */
function imports(file: string): { readonly own: string[]; readonly foreign: string[] } {
  const text = readFileSync(join(SRC, file), 'utf8');
  const specifiers = [...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'/gms)].map((match) => match[1] ?? '');
  return {
    own: specifiers
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => relative(SRC, resolve(SRC, dirname(file), specifier))),
    foreign: specifiers.filter((specifier) => !specifier.startsWith('.')),
  };
}

/** The layer of a file: that of the longest name that fits it. */
function layerOf(file: string): number {
  const fitting = LAYERS.flatMap((names, layer) =>
    names
      .filter((name) => file === name || (name.endsWith('/') && file.startsWith(name)))
      .map((name) => ({ name, layer })),
  );
  fitting.sort((a, b) => b.name.length - a.name.length);
  return fitting[0]?.layer ?? -1;
}

const all = files(SRC);

describe('the layers of src', () => {
  it('hold every file', () => {
    expect(all.length).toBeGreaterThan(30);
    expect(all.filter((file) => layerOf(file) === -1)).toEqual([]);
  });

  it('are imported downwards only', () => {
    const upward = all.flatMap((file) =>
      imports(file)
        .own.filter((target) => layerOf(target) > layerOf(file))
        .map((target) => `${file} -> ${target}`),
    );
    expect(upward).toEqual([]);
  });

  it('have no cycle', () => {
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...path, file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const target of imports(file).own) visit(target, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of all) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('import ioredis in redis/connect.ts alone, lru-cache in cache.ts, and superjson and js-yaml nowhere before they are used', () => {
    const foreign = (name: string): string[] => all.filter((file) => imports(file).foreign.includes(name));
    expect(foreign('ioredis')).toEqual(['redis/connect.ts']);
    expect(foreign('lru-cache')).toEqual(['cache.ts']);
    expect(foreign('cli-progress')).toEqual(['cli/live.ts']);
    expect(foreign('commander').filter((file) => !file.startsWith('cli/'))).toEqual([]);
    for (const file of all) {
      expect(readFileSync(join(SRC, file), 'utf8')).not.toMatch(/^import (?!type)[^;]*from '(?:superjson|js-yaml)'/m);
    }
  });
});
