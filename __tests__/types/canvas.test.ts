/** Checked by the compiler (`npm run typecheck`); running it checks only that it loads. */
import { it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type {
  Canvas,
  CanvasBackend,
  CanvasHooks,
  CanvasMessage,
  CanvasOptions,
  chain,
  chord,
  Embed,
  encodeBody,
  group,
  redisEnvelope,
  signature,
  SignatureSettings,
} from '../../src/canvas/index.ts';
import type {
  CeleryApp,
  RedisBackend,
  ResultTuple,
  Signature,
  SignatureOptions,
  TaskRequest,
} from '../../src/index.ts';

it('has the types of signatures that are promised', () => {
  expectTypeOf<typeof signature>().parameters.toEqualTypeOf<
    [task: string, args?: readonly unknown[] | undefined, settings?: SignatureSettings | undefined]
  >();
  expectTypeOf<typeof signature>().returns.toEqualTypeOf<Signature>();
  expectTypeOf<SignatureSettings['options']>().toEqualTypeOf<SignatureOptions | undefined>();
  expectTypeOf<typeof chain>().toEqualTypeOf<typeof group>();
  expectTypeOf<typeof group>().parameters.toEqualTypeOf<
    [tasks: readonly Signature[], options?: SignatureOptions | undefined]
  >();
  expectTypeOf<typeof group>().returns.toEqualTypeOf<Signature>();
  expectTypeOf<typeof chord>().parameters.toEqualTypeOf<
    [header: readonly Signature[], body: Signature, options?: SignatureOptions | undefined]
  >();
  expectTypeOf<typeof chord>().returns.toEqualTypeOf<Signature>();
  const use = (of: typeof signature, before: Signature): void => {
    // @ts-expect-error -- arguments are a list
    of('tasks.add', 1);
    // @ts-expect-error -- options have a place of their own
    of('tasks.add', [1], { queue: 'a' });
    of('tasks.add', [1, before], { kwargs: { a: 1n }, immutable: true, options: { queue: 'a', countdown: 5 } });
  };
  expectTypeOf(use).toBeFunction();
});

it('has the types of a canvas that are promised', () => {
  const use = async (canvas: Canvas, task: Signature, request: TaskRequest): Promise<void> => {
    expectTypeOf(await canvas.apply(task, [1], { task_id: 'a' })).toEqualTypeOf<ResultTuple | null>();
    expectTypeOf(canvas.run(request, () => 5)).toBeNumber();
    expectTypeOf(await canvas.run(request, () => Promise.resolve('a'))).toBeString();
    expectTypeOf(await canvas.sendNext(request, 5)).toEqualTypeOf<readonly ResultTuple[]>();
    expectTypeOf(canvas.children).toEqualTypeOf<readonly ResultTuple[]>();
    expectTypeOf(canvas.hooks).toEqualTypeOf<CanvasHooks>();
  };
  expectTypeOf(use).toBeFunction();
  expectTypeOf<typeof Canvas>().toBeConstructibleWith({ send: (message) => message.queue });
  expectTypeOf<ConstructorParameters<typeof Canvas>>().toEqualTypeOf<[options: CanvasOptions]>();
  // @ts-expect-error -- who makes one says where messages go
  expectTypeOf<typeof Canvas>().toBeConstructibleWith({});
  expectTypeOf<RedisBackend>().toExtend<CanvasBackend>();
  expectTypeOf<CanvasHooks>().toExtend<CeleryApp>();
});

it('has the types of messages that are promised', () => {
  expectTypeOf<CanvasOptions['send']>().parameters.toEqualTypeOf<[message: CanvasMessage]>();
  expectTypeOf<CanvasMessage['headers']['id']>().toBeString();
  expectTypeOf<CanvasMessage['headers']['timelimit']>().toBeUnknown();
  expectTypeOf<CanvasMessage['body'][2]>().toEqualTypeOf<Embed>();
  expectTypeOf<keyof Embed>().toEqualTypeOf<'callbacks' | 'errbacks' | 'chain' | 'chord'>();
  expectTypeOf<typeof encodeBody>().toEqualTypeOf<(message: CanvasMessage) => string>();
  expectTypeOf<typeof redisEnvelope>().toEqualTypeOf<(message: CanvasMessage) => string>();
});
