/** The page: three files, read once. It loads nothing from elsewhere, and may not. */
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/app.js', 'app.js', 'text/javascript; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
] as const;

export function page(app: FastifyInstance): void {
  for (const [path, file, type] of FILES) {
    const text = readFileSync(new URL(`page/${file}`, import.meta.url), 'utf8');
    app.get(path, (_request, reply) =>
      reply
        .type(type)
        .headers({ 'content-security-policy': "default-src 'self'", 'cache-control': 'no-cache' })
        .send(text),
    );
  }
}
