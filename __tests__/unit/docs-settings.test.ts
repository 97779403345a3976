/** docs/settings.md against the code, in both directions. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { ENV_VARIABLES } from '../../src/env.ts';
import { DEFAULTS } from '../../src/options.ts';
import { SETTING_TABLE } from '../../src/setting-table.ts';

const guide = readFileSync('docs/settings.md', 'utf8');

/** The cells of the rows of the table under a heading, without their backticks. */
function rows(heading: string): string[][] {
  const section = guide.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `.*$/gm)].map(([line]) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) =>
        cell
          .replace(/\|$/, '')
          .trim()
          .replace(/^`(.*)`$/, '$1'),
      ),
  );
}

describe('docs/settings.md', () => {
  const table = rows('The table');

  it('names every setting once, with the option it sets, and no other', () => {
    const use = (option = ''): string => (option === 'none' ? 'unused' : option);
    expect(table.length).toBeGreaterThan(40);
    expect(table.map(([name, option]) => [name, use(option)]).sort()).toEqual([...SETTING_TABLE].sort());
  });

  it('has the defaults of the code', () => {
    const documented = table.flatMap(([name, option = '', text = '']) =>
      Object.hasOwn(DEFAULTS, option) && /^("|\d+$|true|false)/.test(text) ? [[name, option, text] as const] : [],
    );
    expect(documented.length).toBeGreaterThan(10);
    for (const [name, option, text] of documented) {
      expect([name, text]).toEqual([name, JSON.stringify(DEFAULTS[option as keyof typeof DEFAULTS])]);
    }
  });

  it('says why each setting without meaning has none', () => {
    const silent = table.filter(([, option, , why]) => option === 'none' && !why);
    expect(silent).toEqual([]);
  });

  it('names every variable of the environment, and no other', () => {
    expect(rows('From the environment').map(([name]) => name)).toEqual([...ENV_VARIABLES.keys()]);
  });
});
