/** The door of `celery-redis-backend/canvas`. */
export type { SignatureSettings } from './build.ts';
export { chain, chord, group, signature } from './build.ts';
export type { CanvasBackend, CanvasHooks, CanvasOptions } from './canvas.ts';
export { Canvas } from './canvas.ts';
export type { Embed, CanvasMessage } from './message.ts';
export { encodeBody, redisEnvelope } from './message.ts';
