/** `wait` and `watch`: results as they become ready, states as they are seen. */
import type { MetaObserver } from '../../consumer/channel.ts';
import { CeleryError, TimeoutError } from '../../errors.ts';
import { PENDING_META, type TaskMeta } from '../../meta.ts';
import { isReady, PROPAGATE_STATES } from '../../states.ts';
import { EXIT } from '../exit-codes.ts';
import { type Display, NO_DISPLAY } from '../display.ts';
import { fail, idsOf, type Session } from '../session.ts';
import { plainMeta } from '../text.ts';
import { Unread, type UnreadLimits } from '../unread.ts';
import { lineOf, showMeta } from './read.ts';

/** What `wait` and `watch` take. */
export interface WaitFlags {
  /** Seconds from the start of the command; undefined for no limit. */
  readonly timeout?: number | undefined;
  /** Print values alone. */
  readonly value?: boolean | undefined;
  readonly progress?: boolean | undefined;
}

/** How many states may be unread, of all tasks, and of how many bytes. */
const MOST_UNREAD: UnreadLimits = { lines: 10_000, bytes: 16 * 1024 * 1024 };

/** Prints each task once, when it is ready, or at the limit. */
export async function waitForAll(session: Session, given: readonly string[], flags: WaitFlags): Promise<void> {
  await awaitEach(session, given, flags, undefined);
}

/** Prints every state that is seen of each task, the ready one last. */
export async function watchAll(session: Session, given: readonly string[], flags: WaitFlags): Promise<void> {
  const { printer } = session;
  let told = false;
  const onDrop = (): void => {
    if (!told) printer.note('the reader is slow: the oldest states that it has not read are left out.');
    told = true;
  };
  const unread = new Unread((line) => printer.line(line), MOST_UNREAD, onDrop);
  await awaitEach(session, given, flags, unread);
}

/** Awaits all tasks at once, those that come late on standard input until the same limit. */
async function awaitEach(
  session: Session,
  given: readonly string[],
  flags: WaitFlags,
  unread: Unread | undefined,
): Promise<void> {
  const display = await openDisplay(session, flags.progress !== false);
  const untilMs = flags.timeout === undefined ? Infinity : performance.now() + flags.timeout * 1000;
  const waits = new Set<Promise<void>>();
  try {
    for await (const taskId of idsOf(session, given)) {
      display.add(taskId);
      const wait = awaitOne(session, taskId, { untilMs, flags, unread, display }).finally(() => {
        display.remove(taskId);
        waits.delete(wait);
      });
      // What one of them throws ends the command below.
      wait.catch(() => undefined);
      waits.add(wait);
    }
    await Promise.all(waits);
  } finally {
    display.close();
  }
}

interface Awaiting {
  readonly untilMs: number;
  readonly flags: WaitFlags;
  /** States that are not ready, where these are to be printed. */
  readonly unread: Unread | undefined;
  readonly display: Display;
}

/** Not by `backend.watch`, whose bound is of one task, and which does not tell that it drops the oldest. */
async function awaitOne(session: Session, taskId: string, awaiting: Awaiting): Promise<void> {
  const { untilMs, flags, unread, display } = awaiting;
  const { backend, printer, outcome } = session;
  let last: TaskMeta = PENDING_META;
  const onMessage: MetaObserver = (meta) => {
    last = meta;
    display.seen(taskId, meta);
    // The ready one is shown when the wait has ended: it is never dropped.
    if (!isReady(meta.status)) unread?.add(lineOf(printer, taskId, meta));
  };
  try {
    const timeout = untilMs === Infinity ? null : Math.max(0, (untilMs - performance.now()) / 1000);
    const meta = await backend.waitForMeta(taskId, { timeout, onMessage, signal: printer.io.signal });
    await unread?.turn();
    if (PROPAGATE_STATES.has(meta.status)) outcome.add(EXIT.failed);
    await showMeta(session, taskId, meta, flags.value === true, false);
  } catch (error) {
    if (!(error instanceof CeleryError)) throw error;
    await unread?.turn();
    const late =
      error instanceof TimeoutError ? new TimeoutError(taskId, flags.timeout ?? 0, error.lastLook) : undefined;
    if (late) await tellTimeout(session, taskId, last, late);
    else await fail(session, 'task_id', taskId, error);
  }
}

/** The last state that was seen, with why there is no other. */
async function tellTimeout(session: Session, taskId: string, last: TaskMeta, error: TimeoutError): Promise<void> {
  const { printer, outcome } = session;
  // A read that had no answer does not tell that the task is not ready.
  outcome.add(error.lastLook === 'unready' ? EXIT.timeout : EXIT.backend);
  const { code, message } = error;
  if (printer.json) await printer.value({ ...plainMeta(taskId, last), error: { code, message } });
  else printer.note(message);
}

async function openDisplay({ printer }: Session, wanted: boolean): Promise<Display> {
  const { stdout, stderr, env } = printer.io;
  const terminal = [stdout, stderr].find(({ isTTY }) => isTTY);
  if (!wanted || !terminal || printer.json || env['TERM'] === 'dumb') return NO_DISPLAY;
  const { LiveDisplay } = await import('../live.ts');
  return new LiveDisplay(printer, terminal);
}
