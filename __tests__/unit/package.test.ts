/** The package as its users get it: what `npm run build` left in dist, by its name. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DOCUMENTS, examplesOf } from '../support/docs.ts';

const REPO = resolve('.');
let folder: string;

beforeAll(() => {
  if (!existsSync('dist/esm/index.js')) throw new Error('dist is missing: run npm run build first');
  folder = mkdtempSync(join(tmpdir(), 'celery-redis-package-'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['typescript', 'jest', '@types', 'celery-node', 'celery-ts', 'ioredis', 'zod', '@opentelemetry']) {
    symlinkSync(join(REPO, 'node_modules', name), join(folder, 'node_modules', name));
  }
  symlinkSync(REPO, join(folder, 'node_modules', 'celery-redis-backend'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(file: string, text: string): string {
  writeFileSync(join(folder, file), text);
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' }).trim();
}

/** The examples of a document as programs: one that imports the package begins one, which those after it continue. */
function programs(examples: readonly string[]): string[] {
  const found: string[] = [];
  for (const example of examples) {
    const before = example.includes(" from 'celery-redis-backend';") ? undefined : found.pop();
    found.push(before === undefined ? example : `${before}\n${example}`);
  }
  return found;
}

const ROUND_TRIP = (serializer: string): string => `
  (async () => {
    const backend = new RedisBackend({}, { url: 'memory://', serializer: '${serializer}' });
    await backend.storeResult('a', { at: new Date(0), big: 5n }, 'SUCCESS');
    const value = await backend.waitFor('a');
    console.log(value.at instanceof Date, typeof value.big);
    await backend.close();
  })();`;

describe('the built package', () => {
  it.each(['json', 'superjson', 'yaml'])('works with %s from an ES module', (serializer) => {
    const text = `import { RedisBackend } from 'celery-redis-backend';${ROUND_TRIP(serializer)}`;
    expect(run('esm.mjs', text)).toBe(serializer === 'superjson' ? 'true bigint' : 'true number');
  });

  it.each(['json', 'superjson', 'yaml'])('works with %s from CommonJS', (serializer) => {
    const text = `const { RedisBackend } = require('celery-redis-backend');${ROUND_TRIP(serializer)}`;
    expect(run('cjs.cjs', text)).toBe(serializer === 'superjson' ? 'true bigint' : 'true number');
  });

  it.each([
    ['celery-redis-backend', 'RedisBackend'],
    ['celery-redis-backend/canvas', 'Canvas,chain,chord,encodeBody,group,redisEnvelope,signature'],
    ['celery-redis-backend/celery-node', 'attachClient,attachWorker'],
    ['celery-redis-backend/celery-ts', 'CeleryTsBackend,createCeleryTsBackend'],
    ['celery-redis-backend/opentelemetry', 'instrument'],
    ['celery-redis-backend/testing', 'awaited,contract,fail,memoryBackend,progress,pythonError,retry'],
  ])('has the same names behind both doors of %s', (door, some) => {
    const names = `console.log(Object.keys(m).filter((k) => k !== 'default').sort().join())`;
    const esm = run('names.mjs', `import * as m from '${door}';${names}`);
    expect(esm).toContain(some);
    expect(run('names.cjs', `const m = require('${door}');${names}`)).toBe(esm);
  });

  it('has a command line, by both names, of which the package itself loads nothing', () => {
    const { bin, version } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      bin: Record<string, string>;
      version: string;
    };
    expect(Object.keys(bin)).toEqual(['celery-redis-backend', 'celery-result']);
    for (const file of Object.values(bin)) {
      expect(execFileSync(join(REPO, file), ['--version'], { cwd: folder, encoding: 'utf8' })).toBe(`${version}\n`);
    }
    const loaded = `Object.keys(require.cache).filter((file) => /commander|cli-progress|esm.cli/.test(file)).join()`;
    expect(run('loaded.cjs', `require('celery-redis-backend'); console.log(${loaded})`)).toBe('');
  });

  it.each([
    ['ESM under nodenext', 'module', 'nodenext', 'nodenext'],
    ['CommonJS under nodenext', 'commonjs', 'nodenext', 'nodenext'],
    ['a bundler', 'module', 'esnext', 'bundler'],
  ])(
    'has types for %s',
    (_, type, module, moduleResolution) => {
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
      writeFileSync(
        join(folder, 'use.ts'),
        `import { RedisBackend, type TaskMeta } from 'celery-redis-backend';
       import { Canvas, signature } from 'celery-redis-backend/canvas';
       import { attachClient, attachWorker } from 'celery-redis-backend/celery-node';
       import { createCeleryTsBackend } from 'celery-redis-backend/celery-ts';
       import { instrument } from 'celery-redis-backend/opentelemetry';
       import { contract, memoryBackend } from 'celery-redis-backend/testing';
       export const doors = [Canvas, signature, attachClient, attachWorker, createCeleryTsBackend, instrument, contract, memoryBackend];
       export async function total(id: string): Promise<number> {
         const backend = new RedisBackend({}, { url: 'memory://' });
         const meta: TaskMeta = await backend.getTaskMeta(id);
         const value: number = await backend.waitFor<number>(id, { timeout: 1 });
         return meta.status === 'SUCCESS' ? value : 0;
       }`,
      );
      const options = { module, moduleResolution, target: 'es2022', strict: true, noEmit: true, types: ['node'] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['use.ts'] }));
      const tsc = join(folder, 'node_modules/typescript/bin/tsc');
      expect(() => execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: folder, stdio: 'pipe' })).not.toThrow();
      rmSync(join(folder, 'package.json'));
      rmSync(join(folder, 'tsconfig.json'));
    },
    240_000,
  );

  it('fits the types of celery-node and celery-ts, and so do the examples of the docs', () => {
    writeFileSync(
      join(folder, 'peers.ts'),
      `import { RedisBackend } from 'celery-redis-backend';
       import { attachClient, attachWorker } from 'celery-redis-backend/celery-node';
       import { createCeleryTsBackend } from 'celery-redis-backend/celery-ts';
       import { createClient, createWorker } from 'celery-node';
       import { Client } from 'celery-ts';
       const backend = new RedisBackend({}, { url: 'memory://' });
       export const client: ReturnType<typeof createClient> = attachClient(createClient(), backend, { own: true });
       export const worker: ReturnType<typeof createWorker> = attachWorker(createWorker(), backend);
       export const other = new Client({ backend: createCeleryTsBackend(backend), brokers: [], id: 'a' });`,
    );
    const docs = DOCUMENTS.flatMap((name) =>
      programs(examplesOf(name)).map((program, index) => {
        const file = `${name.replaceAll('/', '-')}-${index}.mts`;
        writeFileSync(join(folder, file), program);
        return file;
      }),
    );
    expect(docs).toEqual(
      expect.arrayContaining(['README.md-1.mts', 'docs-producing.md-0.mts', 'docs-topologies.md-2.mts']),
    );
    // Their own declarations do not all compile.
    const options = [
      ...docs,
      '--esModuleInterop',
      '--module',
      'nodenext',
      '--strict',
      '--noEmit',
      '--skipLibCheck',
      '--types',
      'node',
      'peers.ts',
    ];
    const tsc = join(folder, 'node_modules/typescript/bin/tsc');
    const done = spawnSync(process.execPath, [tsc, ...options], { cwd: folder, encoding: 'utf8' });
    expect([done.stdout, done.status]).toEqual(['', 0]);
  }, 240_000);

  it("is no trouble in a consumer's CommonJS jest that stays with json; superjson says what it needs there", () => {
    writeFileSync(
      join(folder, 'consumer.test.js'),
      `const { RedisBackend } = require('celery-redis-backend');
       test('json', async () => {
         const backend = new RedisBackend({}, { url: 'memory://' });
         await backend.storeResult('a', 5, 'SUCCESS');
         expect(await backend.waitFor('a')).toBe(5);
         await backend.close();
       });
       test('superjson', async () => {
         const backend = new RedisBackend({}, { url: 'memory://', serializer: 'superjson' });
         await expect(backend.waitFor('a', { timeout: 0 })).rejects.toMatchObject({
           code: 'CELERY_IMPROPERLY_CONFIGURED',
           message: expect.stringContaining('transformIgnorePatterns'),
         });
         await backend.close();
       });`,
    );
    writeFileSync(join(folder, 'jest.config.json'), '{}');
    const jest = join(folder, 'node_modules/jest/bin/jest.js');
    const args = [jest, '--config', 'jest.config.json', '--rootDir', folder];
    expect(() => execFileSync(process.execPath, args, { cwd: folder, stdio: 'pipe' })).not.toThrow();
  });
});
