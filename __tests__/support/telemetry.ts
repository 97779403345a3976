/** An SDK of OpenTelemetry that keeps what it is told. */
import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** Registered globally until its block ends. */
export class Telemetry implements AsyncDisposable {
  readonly #spans = new InMemorySpanExporter();
  readonly #tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#spans)] });
  readonly #reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 3_600_000,
  });
  readonly #meters = new MeterProvider({ readers: [this.#reader] });

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(this.#tracers);
    metrics.setGlobalMeterProvider(this.#meters);
  }

  /** The spans that ended, but for those of {@link within}. */
  get spans(): ReadableSpan[] {
    return this.#spans.getFinishedSpans().filter(({ instrumentationScope }) => instrumentationScope.name !== 'test');
  }

  /** Runs with a span that is active, and returns its ids. */
  async within<T>(run: () => Promise<T>): Promise<{ readonly traceId: string; readonly spanId: string }> {
    return this.#tracers.getTracer('test').startActiveSpan('caller', async (span) => {
      await run();
      span.end();
      return span.spanContext();
    });
  }

  /** The data of each metric that has any, by its name. */
  async metrics(): Promise<Map<string, DataPoint<unknown>[]>> {
    const { resourceMetrics } = await this.#reader.collect();
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return new Map(all.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints as DataPoint<unknown>[]]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    context.disable();
    trace.disable();
    metrics.disable();
    await Promise.all([this.#tracers.shutdown(), this.#meters.shutdown()]);
  }
}
