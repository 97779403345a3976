/** Every block of code in the documents is one of a kind that is checked: here, or by the test that is named. */
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { transformSync } from 'esbuild';
import { load } from 'js-yaml';
import { createProgram } from '../../src/cli/program.ts';
import { blocksOf, DOCUMENTS, examplesOf, rowsOf, sectionOf } from '../support/docs.ts';

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
};

/** Throws for a block that its reader would refuse. */
const CHECKS: Readonly<Record<string, (text: string) => unknown>> = {
  // unit/package.test.ts compiles them all, and those below run them
  ts: (text) => transformSync(text, { loader: 'ts' }),
  js: (text) => transformSync(text, { loader: 'js' }),
  json: (text) => JSON.parse(text) as unknown,
  yaml: (text) => load(text),
  dotenv: (text) => parseEnv(text),
  sh: (text) => execFileSync('bash', ['-n'], { input: text, stdio: 'pipe' }),
  // interop/docs-live.test.ts compiles them
  python: (text) => text,
  // the users of redis/acl-*.test.ts
  redis: (text) => {
    expect(text).toMatch(/^(ACL SETUSER .*\n)+$/);
  },
  text: (text) => text,
};

const blocks = DOCUMENTS.flatMap((path) => blocksOf(path).map((block, index) => ({ ...block, path, index })));

describe.each(blocks.map((block) => [`${block.path} ${block.index + 1}, ${block.language}`, block] as const))(
  'block %s',
  (_, { language, text }) => {
    it('is of a kind that is checked, and passes', () => {
      expect(Object.keys(CHECKS)).toContain(language);
      expect(() => CHECKS[language]?.(text)).not.toThrow();
    });
  },
);

it.each(DOCUMENTS)('%s names no script of the package that there is not', (path) => {
  const text = readFileSync(path, 'utf8').replaceAll('npm run -s ', 'npm run ');
  const named = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(([, script, test]) => script ?? test ?? '');
  expect(named.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
});

const nothing = (): void => undefined;
const program = createProgram({
  printer: () => {
    throw new Error('nothing is printed');
  },
  ended: nothing,
  ignoreWarnings: nothing,
  writeOut: nothing,
  writeErr: nothing,
});
const commands = program.commands.map((command) => command.name());

it.each(DOCUMENTS)('%s names no command of the command line that there is not', (path) => {
  const programs = Object.keys(manifest.bin).join('|');
  const shell = blocksOf(path).flatMap(({ language, text }) => (language === 'sh' ? [text] : []));
  const inline = [...readFileSync(path, 'utf8').matchAll(/`((?:npx )?[\w-]+ [^`\n]*)`/g)].map(([, code = '']) => code);
  const named = [...shell, ...inline]
    .flatMap((text) => [...text.matchAll(new RegExp(`(?:^|\\| |npx |\\$\\()(?:${programs}) (\\w[\\w-]*)`, 'gm'))])
    .map(([, command]) => command);
  expect(named.filter((name) => !commands.includes(name ?? ''))).toEqual([]);
});

/** The flags of a command, with those that all have. */
function flagsOf(name: string): Set<string | undefined> {
  const own = program.commands.find((command) => command.name() === name)?.options ?? [];
  return new Set(['--help', '--version', ...[...program.options, ...own].flatMap(({ long, short }) => [long, short])]);
}

it.each(DOCUMENTS)('%s gives a command of the command line no flag that it does not have', (path) => {
  const programs = Object.keys(manifest.bin).join('|');
  const calls = readFileSync(path, 'utf8').matchAll(new RegExp(`(?:${programs}) (\\w[\\w-]*)([^\\n|\`)&;#]*)`, 'g'));
  const unknown = [...calls].flatMap(([call, command = '', rest = '']) =>
    [...rest.matchAll(/(?<=\s)--?[a-z][\w-]*/g)].flatMap(([flag]) => (flagsOf(command).has(flag) ? [] : [call])),
  );
  expect(unknown).toEqual([]);
});

it('docs/cli.md has every command in its table, and says what every flag is for', () => {
  const rows = rowsOf(sectionOf('docs/cli.md', 'Commands')).map(([call = '']) => call.split(' ')[0]);
  expect(rows.sort()).toEqual(commands.toSorted());
  const said = new Set(readFileSync('docs/cli.md', 'utf8').match(/--[a-z][\w-]*/g));
  const flags = [program, ...program.commands].flatMap(({ options }) => options.map(({ long }) => long ?? ''));
  expect(flags.filter((flag) => flag !== '--version' && !said.has(flag))).toEqual([]);
});

it('a test runs the examples of every document that has some', () => {
  const tests = ['unit', 'interop'].flatMap((folder) =>
    readdirSync(`__tests__/${folder}`)
      .filter((name) => name.startsWith('docs-') && name !== 'docs-blocks.test.ts')
      .map((name) => readFileSync(`__tests__/${folder}/${name}`, 'utf8')),
  );
  const silent = DOCUMENTS.filter((path) => examplesOf(path).length > 0).filter(
    (path) => !tests.some((test) => test.includes(`'${path}'`)),
  );
  expect(silent).toEqual([]);
});
