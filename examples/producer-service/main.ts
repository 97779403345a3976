/** The service as a process: `docker compose up producer-service`, or see README.md. Leaves on SIGTERM and SIGINT. */
import { RedisBackend } from 'celery-redis-backend';
import { Broker } from '../stack/broker.ts';
import { settings } from '../stack/settings.ts';
import { createService } from './service.ts';

const backend = new RedisBackend({}, settings.backend);
// A client is told within seconds that its task was not sent, and it is not sent later on.
const broker = new Broker(settings.brokerUrl, { enableOfflineQueue: false, commandTimeout: 5_000 });
await Promise.all([backend.connect(), broker.connect()]);

const app = createService({ backend, send: (message) => broker.send(message), logger: true });
// Streams and long polls end with the backend, which is closed first; then the requests under way have been answered.
app.addHook('onClose', () => {
  broker.close();
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void app.close());

await app.listen({
  host: process.env['PRODUCER_SERVICE_HOST'] ?? '127.0.0.1',
  port: Number(process.env['PRODUCER_SERVICE_PORT'] ?? '8080'),
});
