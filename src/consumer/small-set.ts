/** A set that most often has one member: a `Set` for each channel would be a sixth of what a wait takes. */
export class SmallSet<T extends object> {
  /** The only member. */
  #one: T | undefined;
  /** All of them, once there were two. */
  #all: Set<T> | undefined;

  get size(): number {
    if (this.#all) return this.#all.size;
    return this.#one ? 1 : 0;
  }

  has(member: T): boolean {
    return this.#all ? this.#all.has(member) : this.#one === member;
  }

  add(member: T): void {
    if (this.#all) this.#all.add(member);
    else if (!this.#one) this.#one = member;
    else {
      this.#all = new Set([this.#one, member]);
      this.#one = undefined;
    }
  }

  /** Returns whether it was a member. */
  delete(member: T): boolean {
    if (this.#all) return this.#all.delete(member);
    if (this.#one !== member) return false;
    this.#one = undefined;
    return true;
  }

  /** As a `Set` does: what is deleted meanwhile is left out, what is added may come too. */
  [Symbol.iterator](): Iterator<T> {
    return (this.#all ?? (this.#one ? [this.#one] : [])).values();
  }
}
