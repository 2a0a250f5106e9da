/** A set that can be waited for to be empty. */
export class Crowd<T> extends Set<T> {
  #waiting: (() => void)[] = [];

  override delete(member: T): boolean {
    const wasHere = super.delete(member);
    if (this.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    return wasHere;
  }

  /** Resolves when it has no member; at once when it has none now. */
  empty(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
