/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import type { Meter, Tracer } from '@opentelemetry/api';
import { expectTypeOf } from 'expect-type';
import type { BackendStats, RedisBackend } from '../../src/index.ts';
import type { instrument, InstrumentOptions, StatsSource } from '../../src/opentelemetry/index.ts';

it('has the types of the instrumentation that are promised', () => {
  const use = (start: typeof instrument, backend: RedisBackend): void => {
    expectTypeOf(start()).toEqualTypeOf<() => void>();
    start({ tracer: false, backends: new Set([backend]) });
    // @ts-expect-error -- backends are many
    start({ backends: backend });
    // @ts-expect-error -- a tracer is given, or false for none
    start({ tracer: true });
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<typeof instrument>().parameters.toEqualTypeOf<[options?: InstrumentOptions | undefined]>();
  expectTypeOf<InstrumentOptions['tracer']>().toEqualTypeOf<Tracer | false | undefined>();
  expectTypeOf<InstrumentOptions['meter']>().toEqualTypeOf<Meter | false | undefined>();
  expectTypeOf<InstrumentOptions['backends']>().toEqualTypeOf<Iterable<StatsSource> | undefined>();
  expectTypeOf<RedisBackend>().toExtend<StatsSource>();
  expectTypeOf<StatsSource['stats']>().returns.toEqualTypeOf<BackendStats>();
});
