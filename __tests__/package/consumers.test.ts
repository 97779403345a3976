/** Projects of users: each installs the tarball, and waits on a real server for what it stores. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSync } from 'esbuild';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RedisServer } from '../support/redis.ts';
import { pack } from '../support/tarball.ts';

/** The tools are ours; what they see of the package is what was installed. */
const TOOLS = resolve('node_modules');

/** For JavaScript and TypeScript, ES modules and CommonJS alike. */
const USE = `
  async function use() {
    const url = process.env.REDIS_URL ?? 'missing';
    const producer = new RedisBackend({}, { url });
    const worker = new RedisBackend({}, { url });
    const id = 'task of ' + process.pid;
    const waiting = producer.waitFor(id, { timeout: 30 });
    const stored = await worker.storeResult(id, { total: 42, at: new Date(0) }, 'SUCCESS');
    const value = await waiting;
    await Promise.all([producer.close(), worker.close()]);
    return JSON.stringify([stored, value]);
  }`;
const SAID = '["stored",{"total":42,"at":"1970-01-01T00:00:00.000Z"}]';
const IMPORT = "import { RedisBackend } from 'celery-redis-backend';";
const REQUIRE = "const { RedisBackend } = require('celery-redis-backend');";
const RUN = 'use().then(console.log);';
const TYPED = `
  import type { TaskMeta } from 'celery-redis-backend';
  export async function total(backend: RedisBackend, id: string): Promise<number> {
    const meta: TaskMeta = await backend.getTaskMeta(id);
    const { total } = await backend.waitFor<{ total: number }>(id, { timeout: 30 });
    return meta.status === 'SUCCESS' ? total : 0;
  }`;

let server: RedisServer;
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'celery-redis-consumers-'));
  server = await RedisServer.start();
  writeFileSync(join(root, 'package.json'), '{ "private": true }');
  const { file } = pack(root);
  const quick = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', ...quick, file], { cwd: root, stdio: 'pipe' });
}, 240_000);
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

/** Makes a project of these files, texts or JSON. */
function project(name: string, files: Readonly<Record<string, string | object>>): string {
  const folder = join(root, name);
  mkdirSync(folder);
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

/** What the program printed. @throws Error with all it said when it failed */
function node(folder: string, ...args: string[]): string {
  const env = { PATH: process.env['PATH'] ?? '', REDIS_URL: server.url };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Everything is checked, the declarations of the package and of its dependencies too. */
function tsconfig(module: string, moduleResolution: string, files: readonly string[]): object {
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'es2022',
    strict: true,
    outDir: 'out',
    rootDir: '.',
    types: ['node'],
    typeRoots: [join(TOOLS, '@types')],
  };
  return { compilerOptions, files };
}

function compile(folder: string): void {
  node(folder, join(TOOLS, 'typescript/bin/tsc'), '-p', '.');
}

describe('a project that installs the tarball stores and waits', () => {
  it('from an ES module', () => {
    const folder = project('esm', { 'package.json': { type: 'module' }, 'use.js': `${IMPORT}${USE}${RUN}` });
    expect(node(folder, 'use.js')).toBe(SAID);
  });

  it('from CommonJS', () => {
    const folder = project('cjs', { 'package.json': { type: 'commonjs' }, 'use.js': `${REQUIRE}${USE}${RUN}` });
    expect(node(folder, 'use.js')).toBe(SAID);
  });

  it('from TypeScript with the resolution of node16, as an ES module and as CommonJS', () => {
    const text = `${IMPORT}${USE}${RUN}${TYPED}`;
    const folder = project('node16', {
      'tsconfig.json': tsconfig('node16', 'node16', ['use.mts', 'use.cts']),
      'use.mts': text,
      'use.cts': text,
    });
    compile(folder);
    expect(node(folder, 'out/use.mjs')).toBe(SAID);
    expect(node(folder, 'out/use.cjs')).toBe(SAID);
  }, 240_000);

  it('from TypeScript for a bundler, in one file', () => {
    const folder = project('bundler', {
      'package.json': { type: 'module' },
      'tsconfig.json': tsconfig('esnext', 'bundler', ['use.ts']),
      'use.ts': `${IMPORT}${USE}${RUN}${TYPED}`,
    });
    compile(folder);
    const outfile = join(folder, 'bundle.cjs');
    buildSync({
      entryPoints: [join(folder, 'out/use.js')],
      bundle: true,
      platform: 'node',
      outfile,
      logLevel: 'error',
    });
    rmSync(join(folder, 'out'), { recursive: true });
    expect(node(folder, 'bundle.cjs')).toBe(SAID);
  }, 240_000);

  it("from jest's CommonJS, as it is set up by default", () => {
    const folder = project('jest', {
      'package.json': { type: 'commonjs' },
      'jest.config.json': {},
      'use.test.js': `${REQUIRE}${USE}
        test('use', async () => {
          expect(await use()).toBe('${SAID}');
        }, 60000);`,
    });
    // It prints to the error output, and fails by its exit code.
    expect(node(folder, join(TOOLS, 'jest/bin/jest.js'), '--config', 'jest.config.json')).toBe('');
  });
});
