/** What Prometheus reads, on the port of the service: metrics of this process's waits and stores. */
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { BaseBackend } from 'celery-redis-backend';
import { instrument } from 'celery-redis-backend/opentelemetry';
import type { FastifyInstance } from 'fastify';

export function metrics(app: FastifyInstance, backend: BaseBackend): void {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const stop = instrument({ tracer: false, meter: provider.getMeter('celery-redis-backend'), backends: [backend] });
  app.addHook('onClose', async () => {
    stop();
    await provider.shutdown();
  });
  app.get('/metrics', ({ raw }, reply) => {
    reply.hijack();
    exporter.getMetricsRequestHandler(raw, reply.raw);
  });
}
