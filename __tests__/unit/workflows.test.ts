/** The workflows under .github: what they call exists, what they may do is little, what they run is what we support. */
import { describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { CELERIES, CELLS, NODES, SERVERS } from '../../scripts/matrix/cells.ts';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly 'timeout-minutes'?: number;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: { readonly include: readonly Readonly<Record<string, string>>[] } };
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}
interface Manifest {
  readonly engines: { readonly node: string };
  readonly scripts: Readonly<Record<string, string>>;
}

/** What a job may write. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  publish: ['id-token'],
  reference: ['id-token', 'pages'],
};
const FOLDER = '.github/workflows';
const names = readdirSync(FOLDER);
const { engines, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const textOf = (name: string): string => readFileSync(`${FOLDER}/${name}`, 'utf8');
const workflowOf = (name: string): Workflow => load(textOf(name)) as Workflow;
const jobsOf = (name: string): Job[] => Object.values(workflowOf(name).jobs);
const stepsOf = (name: string): Step[] => jobsOf(name).flatMap(({ steps }) => steps);
const runsOf = (name: string): string[] => stepsOf(name).flatMap(({ run }) => (run === undefined ? [] : [run]));

describe.each(names)('%s', (name) => {
  it('calls scripts that there are', () => {
    const called = runsOf(name).flatMap((run) =>
      [...run.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, script]) => script),
    );
    expect(called.length).toBeGreaterThan(0);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(called));
    const files = runsOf(name).filter((run) => run.startsWith('.'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) accessSync(file, constants.X_OK);
  });

  it('takes actions by the hash of a commit, and says which version that is', () => {
    const lines = textOf(name).match(/uses: .*/g) ?? [];
    expect(lines).toHaveLength(stepsOf(name).filter(({ uses }) => uses !== undefined).length);
    for (const line of lines) expect(line).toMatch(/^uses: actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('leaves no credentials behind, ends in time, and puts nothing into a shell but by the environment', () => {
    for (const { uses, with: input } of stepsOf(name)) {
      if (uses?.startsWith('actions/checkout@')) expect(input).toMatchObject({ 'persist-credentials': false });
    }
    for (const job of jobsOf(name)) expect(job['timeout-minutes']).toBeLessThanOrEqual(90);
    for (const run of runsOf(name)) expect(run).not.toContain('${{');
  });

  it('may read, and only the jobs that publish the package and its reference may do more', () => {
    const { permissions, jobs } = workflowOf(name);
    expect([{}, { contents: 'read' }]).toContainEqual(permissions);
    for (const [job, { permissions: own = {} }] of Object.entries(jobs)) {
      const more = Object.entries(own).filter(([, access]) => access !== 'read');
      expect({ job, more: more.map(([what]) => what) }).toEqual({ job, more: MORE[job] ?? [] });
    }
  });
});

describe('the matrix', () => {
  const include = workflowOf('ci.yml').jobs['matrix']?.strategy?.matrix.include ?? [];
  const entries = include.map(({ cells = '' }) => cells);

  it('runs every cell in one job, and has no job without cells', () => {
    const jobs = CELLS.map(({ name }) => entries.filter((entry) => name.includes(entry)));
    expect(jobs.filter(({ length }) => length !== 1)).toEqual([]);
    expect(new Set(jobs.flat())).toEqual(new Set(entries));
  });

  it('begins with the oldest Node of each line that engines allows, and a job of a Node runs on it', () => {
    expect(engines.node).toBe('^20.19.0 || >=22.12.0');
    expect(NODES.slice(0, 2)).toEqual(engines.node.match(/\d+\.\d+\.\d+/g));
    for (const { cells = '', node } of include) {
      if (cells.startsWith('node ')) expect(cells).toBe(`node ${node}`);
    }
  });

  it('has the servers and the oldest and newest Celery that the README promises', () => {
    const readme = readFileSync('README.md', 'utf8');
    expect(readme).toMatch(new RegExp(`\\| Celery +\\| ${CELERIES.join(' to ')} `));
    expect(SERVERS).toEqual(['redis 7', 'redis 8', 'valkey 8']);
    for (const { cells = '', celery } of include) {
      if (cells.startsWith('celery ')) expect(celery).toContain(`celery[redis]==${cells.slice('celery '.length)}.*`);
    }
  });
});

it('the cells of a server run each test of what the scripts do there, with both majors of ioredis', () => {
  const scripts = ['store', 'serializers', 'chords', 'chord-scenarios'].map(
    (name) => `__tests__/redis/${name}.test.ts`,
  );
  for (const server of SERVERS) {
    const cells = CELLS.filter((cell) => cell.server === server);
    expect(cells.map(({ project }) => project)).toEqual(['ioredis5', 'ioredis6']);
    for (const { tests } of cells) expect(scripts.filter((file) => !new RegExp(tests).test(file))).toEqual([]);
  }
  for (const file of scripts) accessSync(file);
});

describe('the release', () => {
  it('is begun by a tag alone, and checked before it is published', () => {
    const { on, jobs } = workflowOf('release.yml');
    expect(on).toEqual({ push: { tags: ['v*'] } });
    expect(jobs['publish']).toMatchObject({ needs: 'check', environment: 'npm' });
    expect(jobs['check']?.steps.map(({ run }) => run)).toEqual(
      expect.arrayContaining([expect.stringContaining('release:check -- "$GITHUB_REF_NAME"'), '.ci/run']),
    );
    expect(jobs['publish']?.steps.at(-1)?.run).toContain('npm publish --provenance');
  });

  it('puts the reference that typedoc makes on GitHub Pages, once the package is published', () => {
    const { reference } = workflowOf('release.yml').jobs;
    expect(reference).toMatchObject({ needs: 'publish', environment: 'github-pages' });
    const steps = reference?.steps ?? [];
    const built = steps.findIndex(({ run }) => run === 'npm run -s docs:api');
    const [upload, deploy] = steps.slice(built + 1);
    expect(built).toBeGreaterThan(0);
    const { out } = JSON.parse(readFileSync('typedoc.json', 'utf8')) as { readonly out: string };
    expect(upload).toMatchObject({ uses: expect.stringContaining('/upload-pages-artifact@'), with: { path: out } });
    expect(deploy).toMatchObject({ uses: expect.stringContaining('/deploy-pages@') });
  });
});
