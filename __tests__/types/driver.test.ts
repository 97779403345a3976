import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import {
  type BackendOptions,
  type ChannelListener,
  type ChannelSource,
  type ChordClaim,
  type ChordKeys,
  type ChordPart,
  type ChordStore,
  type DiagnosticEvents,
  type Driver,
  type LateResult,
  type Recorded,
  type ResolvedOptions,
  resolveOptions,
  type ResultStore,
  type StoreOutcome,
  type SuccessGuard,
  type TakeOver,
  type Write,
} from '../../src/index.ts';

describe('what a driver implements', () => {
  it('is a store, a source of messages, chords, and the life of their connections', () => {
    expectTypeOf<Driver['store']>().toEqualTypeOf<ResultStore>();
    expectTypeOf<Driver['source']>().toEqualTypeOf<ChannelSource>();
    expectTypeOf<Driver['chords']>().toEqualTypeOf<ChordStore>();
    expectTypeOf<Driver['connect']>().parameters.toEqualTypeOf<[timeout: number]>();
    expectTypeOf<Driver['close']>().toBeCallableWith(100);
    expectTypeOf<Driver['close']>().toBeCallableWith();
  });

  it('stores bytes or text under a key, with a guard or without', () => {
    expectTypeOf<ResultStore['read']>().returns.resolves.toEqualTypeOf<Uint8Array | null>();
    expectTypeOf<ResultStore['write']>().parameters.toEqualTypeOf<[write: Write]>();
    expectTypeOf<ResultStore['write']>().returns.resolves.toEqualTypeOf<StoreOutcome>();
    expectTypeOf<Write['payload']>().toEqualTypeOf<string | Uint8Array>();
    expectTypeOf<Write['guard']>().toEqualTypeOf<SuccessGuard | null>();
    expectTypeOf<SuccessGuard['isSuccess']>().returns.toEqualTypeOf<boolean>();
  });

  it('tells one listener of messages and connections', () => {
    expectTypeOf<ChannelSource['listen']>().parameters.toEqualTypeOf<[listener: ChannelListener]>();
    expectTypeOf<ChannelListener['onMessage']>().parameters.toEqualTypeOf<[channel: string, payload: Uint8Array]>();
    expectTypeOf<ChannelSource['subscribe']>().returns.resolves.toEqualTypeOf<readonly (Error | null)[]>();
  });

  it('counts the parts of chords', () => {
    expectTypeOf<ChordPart>().toExtend<ChordClaim>();
    expectTypeOf<ChordClaim['keys']>().toEqualTypeOf<ChordKeys>();
    expectTypeOf<ChordStore['record']>().returns.resolves.toEqualTypeOf<Recorded>();
    expectTypeOf<ChordStore['takeOver']>().returns.resolves.toEqualTypeOf<TakeOver>();
    expectTypeOf<Recorded['state']>().toEqualTypeOf<'counting' | 'claimed' | 'reclaimed' | 'complete' | 'malformed'>();
  });

  it('is made with options that are checked and complete', () => {
    expectTypeOf(resolveOptions).parameters.toEqualTypeOf<[options: BackendOptions, conf: unknown]>();
    expectTypeOf(resolveOptions).returns.toEqualTypeOf<ResolvedOptions>();
    expectTypeOf<ResolvedOptions['expires']>().toEqualTypeOf<number | null>();
  });
});

describe('the event of a late result', () => {
  it('has the task, and how long its wait had lasted, where anyone listened', () => {
    expectTypeOf<DiagnosticEvents['celery-redis-backend:healed']>().toEqualTypeOf<LateResult>();
    expectTypeOf<DiagnosticEvents['celery-redis-backend:rescued']>().toEqualTypeOf<LateResult>();
    expectTypeOf<LateResult['duration']>().toEqualTypeOf<number | undefined>();
  });
});
