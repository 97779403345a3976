import { describe, expect, it } from '@jest/globals';
import { problemsOf, type Release } from '../../scripts/release/problems.ts';

const CHANGELOG =
  '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-30\n\n### Fixed\n\n- It.\n\n## [1.2.2] - 2026-11-01\n\n- That.\n';
const RIGHT: Release = {
  tag: 'v1.2.3',
  repository: 'owner/name',
  manifest: { version: '1.2.3', repository: { url: 'git+https://github.com/owner/name.git' } },
  lock: { version: '1.2.3' },
  changelog: CHANGELOG,
};

describe('a release', () => {
  it('is published when tag, package, lock, changelog and repository agree', () => {
    expect(problemsOf(RIGHT)).toEqual([]);
  });

  it.each<[string, Partial<Release>, string]>([
    ['a tag of another version', { tag: 'v1.2.4' }, 'the tag is v1.2.4'],
    ['a tag without its letter', { tag: '1.2.3' }, 'the tag is 1.2.3'],
    ['a lock that was left behind', { lock: { version: '1.2.2' } }, 'package-lock.json has 1.2.2'],
    ['a version that the changelog has not', { changelog: CHANGELOG.replace('[1.2.3]', '[1.2.30]') }, 'has no entries'],
    ['a version without a date', { changelog: CHANGELOG.replace(' - 2026-11-30', '') }, 'has no entries'],
    ['a version without entries', { changelog: CHANGELOG.replace('### Fixed\n\n- It.\n', '') }, 'has no entries'],
    ['entries that were left unreleased', { changelog: CHANGELOG.replace('ed]\n', 'ed]\n\n- More.\n') }, 'no empty'],
    ['another repository', { repository: 'owner/fork' }, 'needs "repository.url"'],
    ['no repository', { manifest: { version: '1.2.3' } }, 'it is missing'],
  ])('is not published with %s', (_, change, problem) => {
    const problems = problemsOf({ ...RIGHT, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });
});
