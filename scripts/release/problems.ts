/** What a tag says, and what it is a tag of. */
export interface Release {
  /** `v1.2.3` */
  readonly tag: string;
  /** `owner/name` on GitHub. */
  readonly repository: string;
  readonly manifest: { readonly version: string; readonly repository?: { readonly url?: string } };
  readonly lock: { readonly version: string };
  readonly changelog: string;
}

/** The section of a version in the changelog, without its heading. */
function sectionOf(changelog: string, heading: RegExp): string | undefined {
  const sections = changelog.split(/^## /m).slice(1);
  const found = sections.find((section) => heading.test(section));
  return found?.slice(found.indexOf('\n')).trim();
}

/** Why this may not be published; an empty list when it may. */
export function problemsOf({ tag, repository, manifest, lock, changelog }: Release): string[] {
  const { version } = manifest;
  const heading = new RegExp(`^\\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}\\n`);
  const url = manifest.repository?.url ?? 'missing';
  const checks: readonly (readonly [right: boolean, problem: string])[] = [
    [tag === `v${version}`, `the tag is ${tag}, package.json has ${version}`],
    [lock.version === version, `package-lock.json has ${lock.version}, package.json ${version}`],
    [Boolean(sectionOf(changelog, heading)), `CHANGELOG.md has no entries under "## [${version}] - <year-month-day>"`],
    [sectionOf(changelog, /^\[Unreleased\]/) === '', 'CHANGELOG.md has no empty "## [Unreleased]"'],
    [
      url === `git+https://github.com/${repository}.git`,
      `npm's provenance needs "repository.url" of package.json to be git+https://github.com/${repository}.git; it is ${url}`,
    ],
  ];
  return checks.flatMap(([right, problem]) => (right ? [] : [problem]));
}
