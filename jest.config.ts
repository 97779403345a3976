/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

type Project = Exclude<NonNullable<Config['projects']>[number], string>;

const base: Project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
  setupFilesAfterEnv: ['<rootDir>/__tests__/support/leaks.ts'],
};

const redis: Project = {
  ...base,
  testMatch: ['<rootDir>/__tests__/redis/**/*.test.ts'],
  globalSetup: '<rootDir>/__tests__/support/require-redis.ts',
};

const config: Config = {
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
  // What waits and stores: a folder as a whole, files each.
  coverageThreshold: {
    global: {},
    './src/consumer/': { branches: 95 },
    './src/redis/store.ts': { branches: 95 },
    './src/redis/subscriber.ts': { branches: 95 },
    './src/storer.ts': { branches: 95 },
  },
  testTimeout: 60_000,
  // Modules of finished suites are never freed: a worker that has gathered so many is replaced before it gets slow.
  workerIdleMemoryLimit: '512MB',
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/__tests__/{unit,types,sim,fuzz,examples}/**/*.test.ts',
        '<rootDir>/__tests__/contract/memory.test.ts',
      ],
    },
    {
      ...base,
      displayName: 'ioredis-mock',
      testMatch: ['<rootDir>/__tests__/contract/ioredis-mock.test.ts'],
      moduleNameMapper: { '^ioredis$': '<rootDir>/__tests__/support/ioredis-mock.ts' },
    },
    { ...redis, displayName: 'ioredis5' },
    { ...redis, displayName: 'ioredis6', moduleNameMapper: { '^ioredis$': 'ioredis-v6' } },
    { ...redis, displayName: 'cli', testMatch: ['<rootDir>/__tests__/cli/**/*.test.ts'] },
    { ...redis, displayName: 'package', testMatch: ['<rootDir>/__tests__/package/**/*.test.ts'] },
    { ...redis, displayName: 'chaos', testMatch: ['<rootDir>/__tests__/chaos/**/*.test.ts'] },
    {
      ...redis,
      displayName: 'interop',
      testMatch: ['<rootDir>/__tests__/interop/**/*.test.ts'],
      globalSetup: '<rootDir>/__tests__/support/require-celery.ts',
    },
  ],
};

export default config;
