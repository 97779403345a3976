/** Bugs that could be made in `src`, each as the text that it replaces. The simulator must find every one. */

/** One bug. */
export interface Mutant {
  /** What the code no longer does right. */
  readonly title: string;
  /** The file, below `src`. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
  /** The invariants of which at least one is violated: the beginnings of their names. */
  readonly caughtBy: readonly string[];
}

const LATE = 'a wait ends within three seconds';
const LEAK = 'nothing is left behind';

export const MUTANTS: readonly Mutant[] = [
  {
    title: 'a key is not read again after its subscription was made anew',
    file: 'consumer/verifier.ts',
    from: `channel.state = channel.held ? 'held' : 'reading';`,
    to: `channel.state = channel.held ? 'held' : channel.readAt > -Infinity ? 'live' : 'reading';`,
    caughtBy: [LATE],
  },
  {
    title: 'a channel is not subscribed again after the link was made anew',
    file: 'consumer/consumer.ts',
    from: `else if (this.#verifier.isStale(channel)) this.#subscribe(channel);`,
    to: ``,
    caughtBy: [LATE],
  },
  {
    title: 'the key is read before the subscription is confirmed',
    file: 'consumer/verifier.ts',
    from: `    const subscribed = await this.#subscribe(batch.filter(({ channel }) => channel.state === 'subscribing'));
    if (subscribed && this.#window < RUNNING) {
      this.#window = RUNNING;
      this.#schedule();
    }
    const read = await this.#read(batch.filter((member) => isCurrent(member) && member.channel.state === 'reading'));`,
    to: `    const confirming = this.#subscribe(batch.filter(({ channel }) => channel.state === 'subscribing'));
    const read = await this.#read(batch.filter(isCurrent));
    const subscribed = await confirming;
    this.#window = RUNNING;`,
    caughtBy: [LATE],
  },
  {
    title: 'awaited keys are not read by the backstop',
    file: 'consumer/backstop.ts',
    from: `if (this.#timer || this.#round ||`,
    to: `if (this.#intervalMs > 0 || this.#timer || this.#round ||`,
    caughtBy: [LATE],
  },
  {
    title: 'nothing is read at the deadline',
    file: 'consumer/last-look.ts',
    from: `if (!store.usable) {`,
    to: `if (store.usable || !store.usable) {`,
    caughtBy: ['a deadline finds'],
  },
  {
    title: 'a store reads first and writes then, as Celery does',
    file: 'redis/store.ts',
    from: `let outcome = guard && probe === null ? UNKNOWN : await this.#add(write, probe);`,
    to: `const [before] = await this.#get([write.key]);
    if (before && guard?.isSuccess(before)) return 'kept';
    let outcome = await this.#add(write, null);`,
    caughtBy: ['a SUCCESS stays'],
  },
  {
    title: 'stores of one task do not wait for one another',
    file: 'storer.ts',
    from: `before ? before.then(begin, begin) : begin()`,
    to: `(void before, begin())`,
    caughtBy: ['stores of one process leave in order'],
  },
  {
    title: 'a store is not tried again',
    file: 'storer.ts',
    from: `if (!isRetryable(error) ||`,
    to: `if (isRetryable(error) || !isRetryable(error) ||`,
    caughtBy: ['no store fails'],
  },
  {
    title: 'a wait that ends while its channel is subscribed to again leaves it subscribed',
    file: 'consumer/verifier.ts',
    from: `} else if (!this.#host.isWanted(channel)) {`,
    to: `} else if (channel.generation < 0) {`,
    caughtBy: [LEAK],
  },
  {
    title: 'only a new subscriber connection makes the keys be read again',
    file: 'redis/driver.ts',
    from: `for (const each of [commands, subscriber]) {`,
    to: `for (const each of [subscriber]) {`,
    caughtBy: [LATE],
  },
  {
    title: 'a dead link is not looked for',
    file: 'redis/watchdog.ts',
    from: `      this.#ping();
    });`,
    to: `    });
    void this.#ping;`,
    caughtBy: [LATE],
  },
  {
    title: 'a handshake that falls silent is not looked for',
    file: 'redis/watchdog.ts',
    from: `  start(): void {
    this.#ask();`,
    to: `  start(): void {`,
    caughtBy: [LATE],
  },
  {
    title: 'ioredis subscribes again by itself as well',
    file: 'redis/connect.ts',
    from: `autoResubscribe: false,`,
    to: `autoResubscribe: true as unknown as false,`,
    caughtBy: [LEAK],
  },
  {
    title: 'a wait that times out leaves its channel behind',
    file: 'consumer/consumer.ts',
    from: `if (channel.waiters.size === 0) this.#leave(channel);`,
    to: `if (channel.waiters.size === 0 && !(end instanceof WaitFailure)) this.#leave(channel);`,
    caughtBy: [LEAK],
  },
  {
    title: 'a read that a message has overtaken is shown',
    file: 'consumer/channel.ts',
    from: `return !this.overtaken && !this.isLast(payload);`,
    to: `return !this.isLast(payload);`,
    caughtBy: ['a watcher sees'],
  },
  {
    title: 'a result that was shown by a read is shown again by its message',
    file: 'consumer/consumer.ts',
    from: `if (last && last.by !== 'message' && channel.isLast(payload))`,
    to: `if (last && last.by !== 'message' && channel.key === '')`,
    caughtBy: ['a watcher sees'],
  },
  {
    title: 'a listener stays on the signal of a wait that is over',
    file: 'consumer/signals.ts',
    from: `if (!governed?.members.delete(member) || governed.members.size > 0) return;`,
    to: `if (!governed?.members.delete(member) || governed.members.size >= 0) return;`,
    caughtBy: [LEAK],
  },
  {
    title: 'a refusal that passes is taken for one that stands',
    file: 'consumer/verifier.ts',
    from: `if (refusal && isRetryable(refusal)) {`,
    to: `if (refusal && !refusal) {`,
    caughtBy: [LATE],
  },
  {
    title: 'a failed read is not tried again',
    file: 'consumer/verifier.ts',
    from: `if (this.#stalled.size + this.#kept.size === 0 || this.#retry || this.#closed) return;`,
    to: `if (this.#stalled.size >= 0 || this.#retry) return;`,
    caughtBy: [LATE],
  },
  {
    title: 'the cache takes in what may still change',
    file: 'cache.ts',
    from: `if (!this.#entries || meta.status !== 'SUCCESS') return;`,
    to: `if (!this.#entries) return;`,
    caughtBy: ['a wait ends with what was stored'],
  },
  {
    title: 'the last look has no budget of its own',
    file: 'consumer/last-look.ts',
    from: `const budget = clock.after(budgetMs, () => {`,
    to: `const budget = clock.after(budgetMs * 100, () => {`,
    caughtBy: ['no wait outlives'],
  },
  {
    title: 'close leaves the waits as they are',
    file: 'consumer/consumer.ts',
    from: `this.#endAll(channel, new WaitFailure('closed', () => new BackendClosedError()));`,
    to: ``,
    caughtBy: ['each wait ends once'],
  },
  {
    title: 'a store that failed is said to have worked',
    file: 'storer.ts',
    from: `if (!(await this.#pauses.wait(pause)))`,
    to: `if (retry >= 0) return 'stored' as T;
        if (!(await this.#pauses.wait(pause)))`,
    caughtBy: ['a store that was acknowledged'],
  },
  {
    title: 'a result is shown again while an observer takes its time over it',
    file: 'consumer/channel.ts',
    from: `if (this.ready || !this.channel.waiters.has(this)) return;`,
    to: `if (!this.channel.waiters.has(this)) return;`,
    caughtBy: ['a watcher sees'],
  },
  {
    title: 'a deadline forgets what an observer takes its time over',
    file: 'consumer/consumer.ts',
    from: `waiter.ready ?? timeoutOf`,
    to: `timeoutOf`,
    caughtBy: ['a deadline finds'],
  },
  {
    title: 'the stores of one script all have the outcome of the first',
    file: 'redis/store.ts',
    from: `const outcome = outcomes[index];`,
    to: `const outcome = index < 0 ? outcomes[index] : outcomes[0];`,
    caughtBy: ['a store that was acknowledged'],
  },
  {
    title: 'a channel that is held is not subscribed again after the link was made anew',
    file: 'consumer/consumer.ts',
    from: `else if (this.#verifier.isStale(channel)) this.#subscribe(channel);`,
    to: `else if (channel.state !== 'held') this.#subscribe(channel);`,
    caughtBy: [LATE],
  },
  {
    title: 'a wait that takes over what is held does not read the key',
    file: 'consumer/consumer.ts',
    from: `if (channel.state !== 'held') return;
    channel.state = 'reading';`,
    to: `if (channel.state !== 'held') return;
    channel.state = 'live';`,
    caughtBy: [LATE],
  },
  {
    title: 'a ready meta that is held is given to a wait after it was forgotten',
    file: 'backend.ts',
    from: `this.#parts.consumer.holds.drop(taskId);`,
    to: ``,
    caughtBy: ['a wait is not given what was forgotten'],
  },
  {
    title: 'a channel that nobody came for stays subscribed',
    file: 'consumer/holds.ts',
    from: `channel.held = false;
    this.#host.leave(channel);`,
    to: `channel.held = false;`,
    caughtBy: [LEAK],
  },
  {
    title: 'an UNSUBSCRIBE that is refused is not sent again',
    file: 'consumer/verifier.ts',
    from: `if (!isRetryable(refusals[i]))`,
    to: `if (i >= 0)`,
    caughtBy: [LEAK],
  },
  {
    title: 'whoever sends a task waits for its subscription as long as it takes',
    file: 'waiting.ts',
    from: `await Promise.race([this.#hold(taskId), limit]);`,
    to: `void limit;
    await this.#hold(taskId);`,
    caughtBy: ['a call for a task to come'],
  },
];
