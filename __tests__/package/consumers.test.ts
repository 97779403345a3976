/** Projects of users: each installs the tarball, and waits on a real server for what it stores. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSync } from 'esbuild';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RedisServer } from '../support/redis.ts';
import { pack } from '../support/tarball.ts';

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** The tools are ours; what they see of the package is what was installed. */
const TOOLS = resolve('node_modules');

/** What each entry is used for below. */
const USED = {
  'celery-redis-backend': ['RedisBackend'],
  'celery-redis-backend/canvas': ['Canvas', 'signature'],
  'celery-redis-backend/celery-node': ['attachClient'],
  'celery-redis-backend/celery-ts': ['createCeleryTsBackend'],
  'celery-redis-backend/opentelemetry': ['instrument'],
  'celery-redis-backend/testing': ['memoryBackend', 'succeed'],
};

/** For JavaScript and TypeScript, ES modules and CommonJS alike. */
const USE = `
  async function use() {
    const url = process.env.REDIS_URL ?? 'missing';
    const producer = new RedisBackend({}, { url });
    const worker = new RedisBackend({}, { url });
    const remove = instrument({ backends: [producer, worker] });
    const id = 'task of ' + process.pid;
    const waiting = producer.waitFor(id, { timeout: 30 });
    const stored = await worker.storeResult(id, { total: 42, at: new Date(0) }, 'SUCCESS');
    const value = await waiting;

    const done = async () => null;
    const result = { taskId: id, get: done, result: done, status: done };
    const client = attachClient({
      conf: { CELERY_BROKER: url, CELERY_BROKER_OPTIONS: {}, CELERY_QUEUE: 'celery' },
      broker: { isReady: done, disconnect: done, publish: done },
      isReady: done,
      disconnect: done,
      createTaskMessage: () => ({ headers: {}, properties: {}, body: {} }),
      asyncResult: (taskId) => ({ ...result, taskId }),
      sendTask: () => result,
    }, producer);
    const ofNode = await client.asyncResult(id).get();
    const { status } = await createCeleryTsBackend(worker).get({ taskId: id, timeout: 30000 });
    let sent = '';
    const canvas = new Canvas({ send: ({ headers }) => (sent = headers.task) });
    await canvas.apply(signature('tasks.add', [2, 40]));

    const memory = memoryBackend();
    await succeed(memory, id, 5);
    const ofMemory = [await memory.waitFor(id), memory instanceof RedisBackend];
    await Promise.all([producer.close(), worker.close(), memory.close()]);
    remove();
    return JSON.stringify([stored, value, ofNode, status, sent, ofMemory]);
  }`;
const VALUE = { total: 42, at: '1970-01-01T00:00:00.000Z' };
const SAID = JSON.stringify(['stored', VALUE, VALUE, 'SUCCESS', 'tasks.add', [5, true]]);
const entries = Object.entries(USED);
const IMPORT = entries.map(([entry, names]) => `import { ${names.join(', ')} } from '${entry}';`).join('\n');
const REQUIRE = entries.map(([entry, names]) => `const { ${names.join(', ')} } = require('${entry}');`).join('\n');
const RUN = 'use().then(console.log);';
const TYPED = `
  import type { TaskMeta } from 'celery-redis-backend';
  export async function total(backend: RedisBackend, id: string): Promise<number> {
    const meta: TaskMeta = await backend.getTaskMeta(id);
    const { total } = await backend.waitFor<{ total: number }>(id, { timeout: 30 });
    return meta.status === 'SUCCESS' ? total : 0;
  }`;

const { version, exports, bin, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const API = '@opentelemetry/api';

let server: RedisServer;
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'celery-redis-consumers-'));
  server = await RedisServer.start();
  writeFileSync(join(root, 'package.json'), '{ "private": true }');
  const { file } = pack(root);
  const quick = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const peer = `${API}@${devDependencies[API] ?? ''}`;
  execFileSync('npm', ['install', ...quick, file, peer], { cwd: root, stdio: 'pipe' });
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

describe('the tarball', () => {
  it('has no entry that is not used above', () => {
    const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
    expect(entries.map((entry) => entry.replace('.', 'celery-redis-backend'))).toEqual(Object.keys(USED));
  });

  it.each(Object.keys(bin))('has the command %s, which npx runs', (command) => {
    const npx = (...args: string[]): string =>
      execFileSync('npx', ['--offline', command, ...args], { cwd: root, encoding: 'utf8' });
    expect(npx('--version')).toBe(`${version}\n`);
    expect(npx('--help')).toMatch(/^Usage: celery-result /);
  });
});

describe('a project without the optional peers', () => {
  let bare: string;
  beforeAll(() => {
    bare = mkdtempSync(join(tmpdir(), 'celery-redis-bare-'));
    const peers = join(root, 'node_modules', '@opentelemetry');
    cpSync(join(root, 'node_modules'), join(bare, 'node_modules'), {
      recursive: true,
      filter: (path) => path !== peers,
    });
  });
  afterAll(() => {
    rmSync(bare, { recursive: true, force: true });
  });

  it.each([
    ['mjs', (entry: string) => `await import('${entry}')`],
    ['cjs', (entry: string) => `require('${entry}')`],
  ])('has every entry but the one that is made for a peer, which names it: .%s', (ending, load) => {
    const lines = Object.keys(USED).map(
      (entry) => `try { ${load(entry)}; said.push('fine'); } catch ({ message }) { said.push(message); }`,
    );
    writeFileSync(join(bare, `use.${ending}`), `const said = [];${lines.join('\n')}console.log(JSON.stringify(said));`);
    const said = JSON.parse(node(bare, `use.${ending}`)) as string[];
    const of = Object.fromEntries(Object.keys(USED).map((entry, index) => [entry, said[index]]));
    const fine = Object.keys(USED).filter((entry) => of[entry] === 'fine');
    expect(fine).toEqual(Object.keys(USED).filter((entry) => !entry.endsWith('/opentelemetry')));
    expect(of['celery-redis-backend/opentelemetry']).toMatch(/^Cannot find (package|module) '@opentelemetry\/api'/);
  });

  it('is told to install js-yaml by the serializer that needs it', () => {
    writeFileSync(
      join(bare, 'yaml.mjs'),
      `import { RedisBackend } from 'celery-redis-backend';
       const backend = new RedisBackend({}, { url: 'memory://', serializer: 'yaml' });
       await backend.storeResult('a', 1, 'SUCCESS').catch(({ code, message }) => console.log(code, message));
       await backend.close();`,
    );
    expect(node(bare, 'yaml.mjs')).toMatch(/^CELERY_IMPROPERLY_CONFIGURED .*npm install js-yaml@5/);
  });
});
