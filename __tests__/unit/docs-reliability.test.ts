/** The tables of docs/reliability*.md name tests that exist. */
import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const GUIDES = readdirSync('docs').filter((name) => /^reliability.*\.md$/.test(name));

/** The cells of each row whose last one names tests. */
function rowsOf(guide: string): string[][] {
  const text = readFileSync(`docs/${guide}`, 'utf8');
  return [...text.matchAll(/^\| (.*\.ts`: .*) \|$/gm)].map(([, row = '']) =>
    row.split(' | ').map((cell) => cell.trim()),
  );
}

/** Whether a file has a test of this title, as it is written there. */
function has(file: string, title: string): boolean {
  const path = `__tests__/${file}`;
  if (!existsSync(path)) return false;
  const literal = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`\\(\\s*(['"\`])${literal}\\1,`).test(readFileSync(path, 'utf8'));
}

describe.each(GUIDES)('docs/%s', (guide) => {
  const rows = rowsOf(guide);

  it('has a table of faults, each with what is seen, what is guaranteed, and tests', () => {
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter((row) => row.length !== 4 || row.some((cell) => cell === ''))).toEqual([]);
    const lines = readFileSync(`docs/${guide}`, 'utf8').match(/^\| (?!Fault |-)/gm) ?? [];
    expect(lines).toHaveLength(rows.length);
  });

  it('names tests that exist, by file and title', () => {
    const missing = rows.flatMap((row) =>
      (row[3] ?? '').split(' <br> ').filter((entry) => {
        const [, file = '', title = ''] = /^`([^`]+\.ts)`: (.+)$/.exec(entry) ?? [];
        return !has(file, title);
      }),
    );
    expect(missing).toEqual([]);
  });
});
