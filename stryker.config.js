// @ts-check
/**
 * Mutation tests of what waits and stores: see docs/testing-reliability.md. Only tests in virtual time and on scripted
 * connections, so that a mutant costs a second or two.
 *
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
  mutate: [
    'src/consumer/*.ts',
    'src/storer.ts',
    'src/redis/{deadline,scripts,store,subscriber,tick-batch,watchdog}.ts',
  ],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
  jest: {
    config: {
      projects: [],
      testMatch: [
        '<rootDir>/__tests__/unit/{always-retry,backstop*,channel*,completions*,consumer*,deadlines,diagnostics,feed,holds*,known-waits,late-waits,looks,many-waits,small-set,storer*,verifier*,waiting,watch}.test.ts',
        '<rootDir>/__tests__/unit/redis/{asking,deadline*,scripts*,store*,subscriber*,tick-batch*,watchdog*}.test.ts',
      ],
      roots: ['<rootDir>/src', '<rootDir>/__tests__/support', '<rootDir>/__tests__/unit'],
      testEnvironment: 'node',
      extensionsToTreatAsEsm: ['.ts'],
      transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
      setupFilesAfterEnv: ['<rootDir>/__tests__/support/leaks.ts'],
      // A mutant that settles nothing is found by it.
      testTimeout: 5_000,
      watchman: false,
    },
  },
  concurrency: 1,
  // Modules of finished suites are never freed.
  maxTestRunnerReuse: 100,
  incremental: true,
  tempDirName: 'reports/stryker',
  ignorePatterns: ['bench', 'coverage', 'dist', 'examples', 'reports', '__tests__/fixtures', '__tests__/interop'],
  reporters: ['progress', 'clear-text', 'html'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 95, low: 85, break: 85 },
};
