/** What the example reads from the environment; .env.example explains it. */
import { type BackendOptions, configFromEnv } from 'celery-redis-backend';

interface Settings {
  readonly brokerUrl: string;
  readonly backend: BackendOptions;
  /** The queue of the Python worker. */
  readonly pythonQueue: string;
  /** The queue of the TypeScript worker. */
  readonly typescriptQueue: string;
  /** Seconds to wait for one result. */
  readonly resultTimeout: number;
}

/** The settings in force. */
export const settings: Settings = {
  brokerUrl: process.env['CELERY_BROKER_URL'] ?? 'redis://localhost:6379/0',
  backend: configFromEnv(),
  pythonQueue: process.env['CELERY_TASK_QUEUE'] ?? 'celery',
  typescriptQueue: process.env['TYPESCRIPT_TASK_QUEUE'] ?? 'typescript',
  resultTimeout: seconds('RESULT_TIMEOUT', process.env['RESULT_TIMEOUT'] ?? '30'),
};

function seconds(name: string, text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (value >= 0) return value;
  throw new Error(`${name}: expected seconds, 0 or more; got ${JSON.stringify(text)}.`);
}
