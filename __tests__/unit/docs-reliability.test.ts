/** The tables of docs/reliability.md name tests that exist. */
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';

const text = readFileSync('docs/reliability.md', 'utf8');
/** The cells of each row whose last one names tests. */
const rows = [...text.matchAll(/^\| (.*\.ts`: .*) \|$/gm)].map(([, row = '']) =>
  row.split(' | ').map((cell) => cell.trim()),
);

/** Whether a file has a test of this title, as it is written there. */
function has(file: string, title: string): boolean {
  const path = [`__tests__/${file}`, `src/${file}`].find(existsSync);
  if (path === undefined) return false;
  const literal = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`\\(\\s*(['"\`])${literal}\\1,`).test(readFileSync(path, 'utf8'));
}

describe('docs/reliability.md', () => {
  it('has tables of faults, each with what is seen, what is guaranteed, and tests', () => {
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter((row) => row.length !== 4 || row.some((cell) => cell === ''))).toEqual([]);
    const lines = text.match(/^\| (?!Fault |-)/gm) ?? [];
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
