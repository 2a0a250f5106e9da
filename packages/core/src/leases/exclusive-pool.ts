import { onAbort } from '../on-abort.js';
import { type Waiter, WaiterList } from './waiter-list.js';

/** Attempts at once: a burst of callers must not become a burst of handshakes. */
const MAX_DIALS = 4;

export interface ExclusivePoolLimits {
  readonly minIdle: number;
  readonly idleMs: number;
  readonly maxLifetimeMs: number;
  readonly maxWaiting: number;
}

/** Where resources come from and what they may cost. */
export interface ResourceHost<T> {
  /** After a failure it takes the time that it needs: the pool calls it again at once. */
  create(): Promise<T>;
  /** Must not throw. */
  destroyOne(resource: T): void;
  /** Whether it still works; must not throw. */
  isUsable(resource: T): boolean;
  /** Takes one place of the capacity that everything shares, before anything is created for it. */
  reserve(): boolean;
  /** Gives the place back. */
  free(): void;
  /** Whether creating makes sense now; the host calls `grow()` when that changes. */
  canCreate(): boolean;
}

/** One resource and what the pool knows of it. */
export interface Slot<T> {
  readonly resource: T;
  readonly generation: number;
  readonly retireAt: number;
  idleSince: number;
}

export interface ExclusivePoolCounts {
  readonly creating: number;
  readonly idle: number;
  readonly leased: number;
  readonly waiting: number;
}

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the wait ends with at its limit. */
  readonly onTimeout: () => unknown;
  /** What it ends with at once when too many wait already. */
  readonly onFull: () => unknown;
}

/**
 * Resources held by one caller at a time.
 *
 * Invariants, each a test: `creating + idle + leased` places are reserved, no more and no less; nobody overtakes a
 * waiter; while anybody waits nothing usable is idle; a waiter settles once; a waiter that leaves does not stop a
 * creation, whose resource goes to the next waiter or to idle.
 */
export class ExclusivePool<T> {
  /** The last failure to create, until one succeeds. */
  lastError: unknown;
  readonly #host: ResourceHost<T>;
  readonly #limits: ExclusivePoolLimits;
  // Newest last: what was used last is used next, so that the rest can go idle and away.
  readonly #idle: Slot<T>[] = [];
  readonly #waiters = new WaiterList<Slot<T>>();
  #leased = 0;
  #creating = 0;
  #generation = 0;
  #closed = false;
  #evictionTimer: NodeJS.Timeout | undefined;

  constructor(host: ResourceHost<T>, limits: ExclusivePoolLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  get counts(): ExclusivePoolCounts {
    const { length: waiting } = this.#waiters;
    return { creating: this.#creating, idle: this.#idle.length, leased: this.#leased, waiting };
  }

  /** An idle resource, if there is one and nobody waits for it. */
  tryAcquire(): Slot<T> | undefined {
    if (this.#waiters.length > 0) return undefined;
    for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop()) {
      if (this.#isFit(slot, performance.now())) {
        this.#leased += 1;
        if (this.#idle.length < this.#limits.minIdle) this.grow();
        return slot;
      }
      this.#discard(slot);
    }
    return undefined;
  }

  /**
   * Waits for a resource, behind everybody who waits already. More than `maxWaiting` callers wait only while
   * something is being created for each of the others.
   */
  wait({ timeoutMs, signal, onTimeout, onFull }: WaitOptions): Promise<Slot<T>> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter<Slot<T>> = {
        resolve: (slot) => {
          end();
          resolve(slot);
        },
        reject: (error) => {
          end();
          reject(error);
        },
        previous: undefined,
        next: undefined,
        queued: false,
      };
      const unwatch = onAbort(signal, () => waiter.reject(signal?.reason));
      const timer = setTimeout(() => waiter.reject(onTimeout()), timeoutMs);
      const end = (): void => {
        this.#waiters.remove(waiter);
        clearTimeout(timer);
        unwatch();
      };
      this.#waiters.push(waiter);
      this.grow();
      if (this.#waiters.length - this.#creating <= this.#limits.maxWaiting) return;
      this.#waiters.remove(waiter);
      waiter.reject(onFull());
    });
  }

  /** Takes a resource back. `reusable: false`, or a resource that is not fit any more, is destroyed. */
  release(slot: Slot<T>, reusable: boolean): void {
    this.#leased -= 1;
    const now = performance.now();
    if (reusable && !this.#closed && this.#isFit(slot, now)) this.#handOver(slot, now);
    else {
      this.#discard(slot);
      this.grow();
    }
  }

  /** Takes an idle resource out that ended by itself. */
  forget(resource: T): void {
    const index = this.#idle.findIndex((slot) => slot.resource === resource);
    if (index < 0) return;
    const [slot] = this.#idle.splice(index, 1) as [Slot<T>];
    this.#discard(slot);
    this.grow();
  }

  /** Destroys one idle resource to make room for something else. */
  evictOne(): boolean {
    const slot = this.#idle.shift();
    if (slot === undefined) return false;
    this.#discard(slot);
    return true;
  }

  /** No resource made before now is handed out again. */
  reset(): void {
    this.#generation += 1;
    for (const slot of this.#idle.splice(0)) this.#discard(slot);
    this.grow();
  }

  /** Whether it is not handed out again since it was made before a `reset()`. */
  isOutdated(slot: Slot<T>): boolean {
    return slot.generation !== this.#generation;
  }

  /** Creates what waiters and `minIdle` call for, within the capacity. */
  grow(): void {
    while (
      this.#wantsMore() &&
      this.#creating < MAX_DIALS &&
      this.#host.canCreate() &&
      this.#host.reserve()
    ) {
      this.#creating += 1;
      void this.#create();
    }
  }

  /** Rejects whoever waits, destroys what is idle, and from now on whatever comes back. */
  close(error: () => unknown): void {
    this.#closed = true;
    clearTimeout(this.#evictionTimer);
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      waiter.reject(error());
    }
    for (const slot of this.#idle.splice(0)) this.#discard(slot);
  }

  #wantsMore(): boolean {
    if (this.#closed) return false;
    const spare = this.#idle.length + this.#creating - this.#waiters.length;
    return spare < 0 || spare < this.#limits.minIdle;
  }

  async #create(): Promise<void> {
    const generation = this.#generation;
    let resource: T;
    try {
      resource = await this.#host.create();
    } catch (error) {
      this.#creating -= 1;
      this.lastError = error;
      this.#host.free();
      this.grow();
      return;
    }
    this.#created(resource, generation);
    this.grow();
  }

  #created(resource: T, generation: number): void {
    this.#creating -= 1;
    const lifetimeMs = this.#limits.maxLifetimeMs * (1 - Math.random() * 0.1);
    const now = performance.now();
    const slot = { resource, generation, retireAt: now + lifetimeMs, idleSince: now };
    const isUsable = this.#host.isUsable(resource);
    if (isUsable) this.lastError = undefined;
    if (this.#closed || !isUsable || generation !== this.#generation) this.#discard(slot);
    else this.#handOver(slot, now);
  }

  #handOver(slot: Slot<T>, now: number): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      this.#leased += 1;
      waiter.resolve(slot);
      return;
    }
    slot.idleSince = now;
    this.#idle.push(slot);
    if (this.#evictionTimer === undefined) this.#scheduleEviction(this.#limits.idleMs);
  }

  #isFit(slot: Slot<T>, now: number): boolean {
    return slot.generation === this.#generation && now < slot.retireAt && this.#host.isUsable(slot.resource);
  }

  #discard(slot: Slot<T>): void {
    this.#host.destroyOne(slot.resource);
    this.#host.free();
  }

  #scheduleEviction(delayMs: number): void {
    this.#evictionTimer = setTimeout(() => this.#evict(), Math.max(1, delayMs));
    // An idle connection does not keep the process alive by its timer.
    this.#evictionTimer.unref();
  }

  /** The oldest first, down to `minIdle`; the aged ones whatever `minIdle` says, and `grow()` replaces them. */
  #evict(): void {
    this.#evictionTimer = undefined;
    const now = performance.now();
    const { idleMs, minIdle } = this.#limits;
    for (const slot of [...this.#idle]) {
      const expired = now - slot.idleSince >= idleMs && this.#idle.length > minIdle;
      if (!expired && this.#isFit(slot, now)) continue;
      this.#idle.splice(this.#idle.indexOf(slot), 1);
      this.#discard(slot);
    }
    this.grow();
    const oldest = this.#idle[0];
    if (oldest !== undefined)
      this.#scheduleEviction(Math.max(idleMs / 10, idleMs - (now - oldest.idleSince)));
  }
}
