/** The documents of the project, for tests that hold them against the code and run what they show. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The doors of the package, by the names that users import. */
const DOORS = {
  'celery-redis-backend': 'src/index.ts',
  'celery-redis-backend/canvas': 'src/canvas/index.ts',
  'celery-redis-backend/celery-node': 'src/adapters/celery-node/index.ts',
  'celery-redis-backend/celery-ts': 'src/adapters/celery-ts/index.ts',
  'celery-redis-backend/opentelemetry': 'src/opentelemetry/index.ts',
  'celery-redis-backend/testing': 'src/testing/index.ts',
};

const markdownIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => (folder === '.' ? name : `${folder}/${name}`));

/** The guides, without their index. */
export const GUIDES: readonly string[] = markdownIn('docs').filter((path) => path !== 'docs/README.md');

/** Every document that a user or developer reads. */
export const DOCUMENTS: readonly string[] = [
  ...markdownIn('.'),
  ...markdownIn('docs'),
  ...['bench', ...readdirSync('examples').map((name) => `examples/${name}`)]
    .map((folder) => `${folder}/README.md`)
    .filter((path) => existsSync(path)),
];

/** A fenced block of a document. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a document, in their order. */
export function blocksOf(path: string): Block[] {
  return [...readFileSync(path, 'utf8').matchAll(/^( *)```(.*)\n([^]*?)^\1```$/gm)].map(
    ([, indent = '', language = '', text = '']) => ({ language, text: text.replaceAll(`\n${indent}`, '\n') }),
  );
}

/** The blocks of TypeScript of a document. */
export function examplesOf(path: string): string[] {
  return blocksOf(path).flatMap(({ language, text }) => (language === 'ts' ? [text] : []));
}

/** What is under a heading of the second level. */
export function sectionOf(path: string, heading: string): string {
  return readFileSync(path, 'utf8').split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
}

/** Where the relative links of a text lead, as they are written. Code has none. */
export function linksOf(text: string): string[] {
  const prose = text.replace(/(`+).*?\1/gs, '');
  return [...prose.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((match) => match[1] ?? '');
}

/** The rows of the tables of a text, without their heads; the cells without the backticks around them. */
export function rowsOf(text: string): string[][] {
  return [...text.matchAll(/^\|(.*)\|$/gm)]
    .map(([, line = '']) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .filter((cells, index, all) => !isRule(cells) && !isRule(all[index + 1] ?? []))
    .map((cells) => cells.map((cell) => cell.replace(/^`([^`]*)`$/, '$1').replaceAll('\\|', '|')));
}

function isRule(cells: readonly string[]): boolean {
  return cells.length > 0 && cells.every((cell) => /^-+:?$/.test(cell));
}

/** A folder in which the examples run, on the sources of the package. */
export class ExampleFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'celery-redis-docs-'));

  constructor() {
    symlinkSync(resolve('node_modules'), join(this.path, 'node_modules'));
  }

  /** Writes a program. @returns its path */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    const program = Object.entries(DOORS).reduce(
      (written, [door, file]) => written.replaceAll(`'${door}'`, `'${pathToFileURL(resolve(file)).href}'`),
      text,
    );
    writeFileSync(path, program);
    return path;
  }

  /** Runs a program to its end. @returns the lines that it printed */
  run(name: string, text: string, env: Readonly<Record<string, string>> = {}): string[] {
    const args = ['--import', 'tsx', this.write(name, text)];
    const options = { encoding: 'utf8', timeout: 50_000, env: { ...process.env, ...env } } as const;
    return execFileSync(process.execPath, args, options).trim().split('\n');
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
