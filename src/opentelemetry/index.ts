/** OpenTelemetry: spans and metrics of the backends of this process. Needs `@opentelemetry/api`. */
export type { InstrumentOptions } from './instrument.ts';
export { instrument } from './instrument.ts';
export type { StatsSource } from './figures.ts';
