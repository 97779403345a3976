/** Many deadlines with one timer: a timer of Node's for each would weigh as much as all else of a wait. */
import type { Clock, Timer } from '../clock.ts';
import { A_TURN } from '../turns.ts';

/** A deadline of an item. */
class Deadline<T> implements Timer {
  readonly item: T;
  /** On the monotonic clock. */
  readonly due: number;
  /** Of those that are due at the same time, the first comes first. */
  readonly order: number;
  /** Its place in the heap; -1 once it is out of it. */
  place = -1;
  readonly #owner: Deadlines<T>;

  constructor(owner: Deadlines<T>, item: T, due: number, order: number) {
    this.#owner = owner;
    this.item = item;
    this.due = due;
    this.order = order;
  }

  cancel(): void {
    this.#owner.delete(this);
  }

  isBefore(other: Deadline<T>): boolean {
    return this.due < other.due || (this.due === other.due && this.order < other.order);
  }
}

/**
 * A heap of deadlines, the next one first. Of those that are due, 64 are told of in one turn of the event loop, in their
 * order, and the others in turns to come; none is told of before its time.
 *
 * resting (none) <-> armed (for the first, or one that was cancelled) -> telling (some are due) -> resting | armed
 */
export class Deadlines<T> {
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  readonly #tell: (item: T) => void;
  readonly #heap: Deadline<T>[] = [];
  #orders = 0;
  #timer: Timer | undefined;
  #armedFor = Infinity;
  /** While those that are due have their turns. */
  #telling = false;

  /** @param tell - is given the item of each deadline that comes; must not throw */
  constructor(clock: Pick<Clock, 'now' | 'after'>, tell: (item: T) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Sets a deadline, in milliseconds from now. */
  after(ms: number, item: T): Timer {
    const deadline = new Deadline(this, item, this.#clock.now() + ms, this.#orders);
    this.#orders += 1;
    this.#heap.push(deadline);
    this.#rise(deadline, this.#heap.length - 1);
    this.#arm();
    return deadline;
  }

  /** Takes a deadline out, if it is still to come. */
  delete(deadline: Deadline<T>): void {
    const { place } = deadline;
    if (place === -1) return;
    deadline.place = -1;
    const last = this.#heap.pop();
    if (last && last !== deadline) {
      this.#sink(last, place);
      this.#rise(last, last.place);
    }
    // One that is left stays armed for: it comes too early for the next, and goes on then.
    if (this.#heap.length === 0) this.#rest();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedFor = Infinity;
  }

  #arm(): void {
    const [first] = this.#heap;
    if (!first || this.#telling || first.due >= this.#armedFor) return;
    this.#rest();
    this.#armedFor = first.due;
    this.#timer = this.#clock.after(first.due - this.#clock.now(), () => {
      this.#rest();
      this.#tellDue();
    });
  }

  #tellDue(): void {
    this.#telling = true;
    const now = this.#clock.now();
    for (let count = 0; count < A_TURN; count += 1) {
      const [first] = this.#heap;
      if (!first || first.due > now) {
        this.#telling = false;
        this.#arm();
        return;
      }
      this.delete(first);
      this.#tell(first.item);
    }
    setImmediate(() => {
      this.#tellDue();
    });
  }

  #rise(deadline: Deadline<T>, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const above = heap[(place - 1) >> 1];
      if (!above || !deadline.isBefore(above)) break;
      heap[place] = above;
      above.place = place;
      place = (place - 1) >> 1;
    }
    heap[place] = deadline;
    deadline.place = place;
  }

  #sink(deadline: Deadline<T>, from: number): void {
    const heap = this.#heap;
    let place = from;
    for (;;) {
      const left = heap[2 * place + 1];
      const right = heap[2 * place + 2];
      const below = left && right?.isBefore(left) ? right : left;
      if (!below?.isBefore(deadline)) break;
      const next = below.place;
      heap[place] = below;
      below.place = place;
      place = next;
    }
    heap[place] = deadline;
    deadline.place = place;
  }
}

/** Deadlines at which something is called. */
export function calls(clock: Pick<Clock, 'now' | 'after'>): Deadlines<() => void> {
  return new Deadlines(clock, (call) => {
    call();
  });
}
