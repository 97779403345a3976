/** The documents against the code and against one another. */
import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { inspect } from 'node:util';
import { CELERIES, NODES, SERVERS } from '../../scripts/matrix/cells.ts';
import { ENV_VARIABLES } from '../../src/env.ts';
import * as door from '../../src/index.ts';
import { blocksOf, DOCUMENTS, GUIDES, linksOf, rowsOf, sectionOf } from '../support/docs.ts';

const DEFAULTS: Readonly<Record<string, unknown>> = { ...door.DEFAULTS };

/** The anchors of a document, as GitHub makes them of its headings. */
function anchorsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** The codes of a union of the sources. */
function codesOf(file: string, type: string): string[] {
  const source = readFileSync(file, 'utf8').split(`export type ${type} =`)[1]?.split(';')[0] ?? '';
  return [...source.matchAll(/'(CELERY_\w+)'/g)].map((match) => match[1] ?? '');
}

const ERRORS = codesOf('src/errors.ts', 'ErrorCode');
const WARNINGS = codesOf('src/diagnostics.ts', 'WarningCode');

describe('the README', () => {
  const readme = readFileSync('README.md', 'utf8');

  it('is short', () => {
    expect(readme.split('\n').length).toBeLessThan(400);
  });

  it('has two commands first, of one line each', () => {
    const shell = blocksOf('README.md').flatMap(({ language, text }) => (language === 'sh' ? [text] : []));
    expect(shell.slice(0, 2)).toEqual(['npm ci && npm run demo\n', 'npm ci && npm run setup && npm test\n']);
  });

  it('names each guide once at the most', () => {
    const named = linksOf(sectionOf('README.md', 'Guides')).filter((link) => link !== 'docs/README.md');
    expect(named.length).toBeGreaterThan(10);
    expect(new Set(named).size).toBe(named.length);
  });
});

it('the index of the guides lists every one once', () => {
  const listed = linksOf(readFileSync('docs/README.md', 'utf8')).filter((link) => !link.startsWith('..'));
  expect(listed.map((link) => `docs/${link}`).sort()).toEqual(GUIDES);
});

it('docs/calls.md lists every call of a backend, and no other', () => {
  const cells = rowsOf(readFileSync('docs/calls.md', 'utf8')).map(([cell = '']) => cell);
  const listed = cells.flatMap((cell) => [...cell.matchAll(/(?:^|`)([a-z]\w+)(?:\(|`)/g)].map(([, name]) => name));
  const methods = Object.entries(Object.getOwnPropertyDescriptors(door.BaseBackend.prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name);
  expect(listed.sort()).toEqual(methods.sort());
});

describe('docs/options.md', () => {
  const rows = rowsOf(readFileSync('docs/options.md', 'utf8').split('\n## URLs\n')[0] ?? '');

  it('lists every option, and no other', () => {
    const options = Object.keys(door.resolveOptions({}, {})).filter((name) => name !== 'connectionDefaults');
    expect(rows.map(([name]) => name).sort()).toEqual(options.sort());
  });

  it('has the defaults of the code', () => {
    const shown = (value: unknown): string =>
      inspect(value, { breakLength: Infinity }).replace(/\d+/g, (digits) => {
        const mebibytes = Number(digits) / 2 ** 20;
        return mebibytes >= 1 && Number.isInteger(mebibytes) ? `${mebibytes} MiB` : digits;
      });
    const defaults = Object.entries(DEFAULTS).filter(([name]) => name !== 'clock');
    const documented = rows.filter(([name = '']) => name !== 'clock' && Object.hasOwn(DEFAULTS, name));
    expect(documented.map(([name, text]) => [name, text]).sort()).toEqual(
      defaults.map(([name, value]) => [name, shown(value)]).sort(),
    );
  });
});

describe('docs/errors.md', () => {
  const rows = rowsOf(sectionOf('docs/errors.md', 'Codes'));

  it('lists every code, and no other', () => {
    expect(ERRORS.length).toBeGreaterThan(10);
    expect(rows.map(([code]) => code).sort()).toEqual(ERRORS.toSorted());
  });

  it('names classes that are exported', () => {
    expect(rows.map(([, name]) => name).filter((name) => !Object.hasOwn(door, name ?? ''))).toEqual([]);
  });
});

it('docs/observability.md lists every warning, and no other', () => {
  const codes = rowsOf(sectionOf('docs/observability.md', 'Warnings')).map(([code]) => code);
  expect(WARNINGS.length).toBeGreaterThan(5);
  expect(codes.sort()).toEqual(WARNINGS.toSorted());
});

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: { readonly ioredis: string };
}

/** What a file of recorded payloads says of itself. */
interface Recorded {
  readonly recorded: { readonly celery: string };
  readonly redis: string;
}

function read(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

describe('the table of compatibility', () => {
  const rows = new Map(rowsOf(sectionOf('README.md', 'Compatibility')).map(([name, ...cells]) => [name, cells]));
  const recorded = readdirSync('__tests__/fixtures/celery').map(
    (name) => read(`__tests__/fixtures/celery/${name}`) as Recorded,
  );

  it('has the versions of Node and ioredis that package.json has', () => {
    const { engines, dependencies } = read('package.json') as Manifest;
    expect(rows.get('Node')?.[0]).toBe(engines.node);
    expect(rows.get('ioredis')?.[0]).toBe(dependencies.ioredis);
  });

  it('has the versions of ioredis that the tests run with', () => {
    const versions = ['ioredis', 'ioredis-v6'].map(
      (name) => (read(`node_modules/${name}/package.json`) as Manifest).version,
    );
    expect(rows.get('ioredis')?.[1]).toBe(versions.join(' and '));
  });

  it('has the versions of Celery and Redis whose payloads were recorded', () => {
    expect(recorded).toHaveLength(2);
    for (const { recorded: by, redis } of recorded) {
      expect(rows.get('Celery')?.[1]).toContain(by.celery);
      expect(rows.get('Redis')?.[1]).toContain(redis);
    }
    const range = recorded.map(({ recorded: by }) => by.celery.split('.').slice(0, 2).join('.'));
    expect(rows.get('Celery')?.[0]).toBe(range.sort().join(' to '));
  });

  it('has, as tested, each version that the matrix runs', () => {
    const tested = (name: string): string => ` ${rows.get(name)?.[1] ?? ''}`;
    const untold = [
      ...NODES.filter((node) => !new RegExp(`[ ,]${node}(?![\\d])`).test(tested('Node'))),
      ...CELERIES.filter((celery) => !tested('Celery').includes(` ${celery}.`)),
      ...SERVERS.filter((server) => !tested('Redis').includes(`${server.replace('redis', '').replace('v', 'V')}.`)),
    ];
    expect(untold).toEqual([]);
  });
});

it.each(DOCUMENTS)('%s names no code and no variable that there is not', (path) => {
  // Celery's settings by their old names, and variables of the examples and tests
  const known = new Set([...ERRORS, ...WARNINGS, ...ENV_VARIABLES.keys(), 'CELERY_PYTHON', 'CELERY_BROKER_URL']);
  const named = [...readFileSync(path, 'utf8').matchAll(/\bCELERY_[A-Z_]+\b/g)].map(([name]) => name);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

it.each(DOCUMENTS)('the links of %s lead to files and headings that there are', (path) => {
  const broken = linksOf(readFileSync(path, 'utf8')).filter((link) => {
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : normalize(join(path, '..', file));
    return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
  });
  expect(broken).toEqual([]);
});

const shown = DOCUMENTS.flatMap((path) =>
  [...readFileSync(path, 'utf8').matchAll(/!\[(.*)\]\((.*\.svg)\)/g)].map(
    ([, words = '', file = '']) => [normalize(join(path, '..', file)), words] as const,
  ),
);

describe.each(shown)('the picture %s', (file, words) => {
  const picture = readFileSync(file, 'utf8');

  it('is told in words, in the document and in itself', () => {
    expect(words.length).toBeGreaterThan(40);
    expect(picture).toMatch(/<svg [^>]*role="img" [^>]*aria-labelledby="title desc"/);
    expect(picture).toMatch(/<title id="title">.+<\/title>\s*<desc id="desc">.+<\/desc>/);
  });
});
