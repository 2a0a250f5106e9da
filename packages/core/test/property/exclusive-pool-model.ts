import { expect, vi } from 'vitest';
import { ExclusivePool, type ResourceHost, type Slot } from '../../src/leases/exclusive-pool.js';

const MAX_DIALS = 4;

interface Resource {
  readonly id: number;
  /** How many resets there had been when its creation began. */
  readonly resetsBefore: number;
  usable: boolean;
}

interface Dial {
  readonly resetsBefore: number;
  resolve(resource: Resource): void;
  reject(error: Error): void;
}

interface Caller {
  readonly number: number;
  readonly controller: AbortController;
  outcome: 'waits' | 'served' | 'failed';
}

/** What can happen to a pool; numbers choose one of those that are there. */
export type Action =
  | { readonly type: 'acquire'; readonly timeoutMs: number }
  | { readonly type: 'abort'; readonly choice: number }
  | { readonly type: 'release'; readonly choice: number; readonly reusable: boolean }
  | { readonly type: 'dialSucceeds'; readonly choice: number; readonly usable: boolean }
  | { readonly type: 'dialFails'; readonly choice: number }
  | { readonly type: 'kill'; readonly choice: number }
  | { readonly type: 'reset' }
  | { readonly type: 'evict' }
  | { readonly type: 'othersTake'; readonly places: number }
  | { readonly type: 'outage' }
  | { readonly type: 'recovery' }
  | { readonly type: 'time'; readonly ms: number }
  | { readonly type: 'close' };

export interface ModelOptions {
  readonly max: number;
  readonly minIdle: number;
  readonly maxWaiting: number;
}

/** A pool beside a record of everything that happened to it, with the laws checked after each action. */
export class PoolUnderTest implements ResourceHost<Resource> {
  readonly #options: ModelOptions;
  readonly #pool: ExclusivePool<Resource>;
  readonly #alive = new Set<Resource>();
  readonly #held: Slot<Resource>[] = [];
  readonly #callers: Caller[] = [];
  readonly #dials: Dial[] = [];
  /** As they came back, the last one last; only those that may be handed out. */
  #expectedIdle: Resource[] = [];
  #made = 0;
  #resets = 0;
  #placesOfPool = 0;
  #placesOfOthers = 0;
  #isUp = true;
  #isClosed = false;
  #violations: string[] = [];

  constructor(options: ModelOptions) {
    this.#options = options;
    const limits = { minIdle: options.minIdle, maxWaiting: options.maxWaiting };
    this.#pool = new ExclusivePool<Resource>(this, { ...limits, idleMs: 500, maxLifetimeMs: 2_000 });
  }

  // ---- what the pool asks ----

  create(): Promise<Resource> {
    return new Promise((resolve, reject) => {
      this.#dials.push({ resetsBefore: this.#resets, resolve, reject });
      if (this.#dials.length > MAX_DIALS) this.#violate(`${this.#dials.length} dials at once`);
      if (!this.#isUp) this.#violate('a dial while it makes no sense');
      if (this.#isClosed) this.#violate('a dial after close()');
    });
  }

  destroyOne(resource: Resource): void {
    if (!this.#alive.delete(resource)) this.#violate(`resource ${resource.id} was destroyed twice`);
    this.#expectedIdle = this.#expectedIdle.filter((idle) => idle !== resource);
  }

  isUsable(resource: Resource): boolean {
    return resource.usable;
  }

  reserve(): boolean {
    if (this.#placesOfPool + this.#placesOfOthers >= this.#options.max) return false;
    this.#placesOfPool += 1;
    return true;
  }

  free(): void {
    this.#placesOfPool -= 1;
    if (this.#placesOfPool < 0) this.#violate('more places were given back than taken');
  }

  canCreate(): boolean {
    return this.#isUp;
  }

  // ---- what the test does ----

  async perform(action: Action): Promise<void> {
    await this.#act(action);
    await settle();
    this.#check();
  }

  /** Makes everything possible; then everybody has to be served or to fail, and everything to come back. */
  async finish(): Promise<void> {
    this.#isUp = true;
    this.#placesOfOthers = 0;
    for (let round = 0; round < 2_000 && this.#isUnfinished(); round += 1) {
      this.#pool.grow();
      this.#dials.shift()?.resolve(this.#make(this.#resets, true));
      const slot = this.#held.shift();
      if (slot !== undefined) this.#release(slot, true);
      await settle();
      this.#check();
    }
    expect(this.#callers.filter(({ outcome }) => outcome === 'waits')).toEqual([]);
    await this.perform({ type: 'close' });
    while (this.#dials.length > 0) await this.perform({ type: 'dialFails', choice: 0 });
    expect(this.#pool.counts).toEqual({ creating: 0, idle: 0, leased: 0, waiting: 0 });
    expect([...this.#alive]).toEqual([]);
    expect(this.#placesOfPool).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  }

  async #act(action: Action): Promise<void> {
    switch (action.type) {
      case 'acquire':
        return this.#acquire(action.timeoutMs);
      case 'abort':
        return chosen(this.#waiting, action.choice)?.controller.abort(new Error('aborted'));
      case 'release': {
        const slot = chosen(this.#held, action.choice);
        if (slot === undefined) return;
        this.#held.splice(this.#held.indexOf(slot), 1);
        return this.#release(slot, action.reusable);
      }
      case 'dialSucceeds': {
        const dial = this.#takeDial(action.choice);
        return dial?.resolve(this.#make(dial.resetsBefore, action.usable));
      }
      case 'dialFails':
        return this.#takeDial(action.choice)?.reject(new Error('refused'));
      case 'kill':
        return this.#kill(chosen([...this.#alive], action.choice));
      case 'reset':
        this.#resets += 1;
        return this.#pool.reset();
      case 'evict':
        return this.#evict();
      case 'othersTake':
        this.#placesOfOthers = Math.min(action.places, this.#options.max - this.#placesOfPool);
        return this.#pool.grow();
      case 'outage':
        this.#isUp = false;
        return;
      case 'recovery':
        this.#isUp = true;
        return this.#pool.grow();
      case 'time':
        await vi.advanceTimersByTimeAsync(action.ms);
        return;
      case 'close':
        this.#isClosed = true;
        return this.#pool.close(() => new Error('closed'));
    }
  }

  /** As the leases do it; without a timeout of its own a closed pool would let the caller wait. */
  #acquire(timeoutMs: number): void {
    if (this.#isClosed) return;
    const expected = this.#expectedIdle.at(-1);
    const isFirst = this.#waiting.length === 0;
    const slot = this.#pool.tryAcquire();
    if (slot !== undefined) {
      if (!isFirst) this.#violate('a caller overtook those who wait');
      const isOther = expected !== undefined && slot.resource !== expected;
      if (isOther && this.#alive.has(expected)) this.#violate('not what was used last was given');
      this.#receive(slot);
      return;
    }
    if (isFirst && expected !== undefined && this.#alive.has(expected))
      this.#violate('an idle one was not given');
    this.#wait(timeoutMs);
  }

  #wait(timeoutMs: number): void {
    const controller = new AbortController();
    const caller: Caller = { number: this.#callers.length, controller, outcome: 'waits' };
    this.#callers.push(caller);
    const { signal } = controller;
    const onTimeout = () => new Error('late');
    const onFull = () => new Error('full');
    this.#pool.wait({ timeoutMs, signal, onTimeout, onFull }).then(
      (slot) => {
        this.#settle(caller, 'served');
        const earlier = this.#waiting.filter(({ number }) => number < caller.number);
        if (earlier.length > 0) this.#violate(`caller ${caller.number} overtook ${earlier.length}`);
        this.#receive(slot);
      },
      () => this.#settle(caller, 'failed'),
    );
  }

  #settle(caller: Caller, outcome: 'served' | 'failed'): void {
    if (caller.outcome !== 'waits') this.#violate(`caller ${caller.number} was settled twice`);
    caller.outcome = outcome;
  }

  #receive(slot: Slot<Resource>): void {
    const { resource } = slot;
    const what = `resource ${resource.id}`;
    if (this.#held.some((other) => other.resource === resource)) this.#violate(`${what} is held twice`);
    if (!this.#alive.has(resource)) this.#violate(`${what} was handed out destroyed`);
    if (!resource.usable) this.#violate(`${what} was handed out unusable`);
    if (resource.resetsBefore < this.#resets) this.#violate(`${what} was handed out after a reset`);
    this.#expectedIdle = this.#expectedIdle.filter((idle) => idle !== resource);
    this.#held.push(slot);
  }

  #release(slot: Slot<Resource>, reusable: boolean): void {
    const nobodyWaits = this.#waiting.length === 0;
    this.#pool.release(slot, reusable);
    if (!reusable && this.#alive.has(slot.resource)) this.#violate('what may not be used again was kept');
    if (nobodyWaits && this.#alive.has(slot.resource)) this.#expectedIdle.push(slot.resource);
  }

  #make(resetsBefore: number, usable: boolean): Resource {
    this.#made += 1;
    const resource = { id: this.#made, resetsBefore, usable };
    this.#alive.add(resource);
    return resource;
  }

  #takeDial(choice: number): Dial | undefined {
    const dial = chosen(this.#dials, choice);
    if (dial !== undefined) this.#dials.splice(this.#dials.indexOf(dial), 1);
    return dial;
  }

  #kill(resource: Resource | undefined): void {
    if (resource === undefined) return;
    resource.usable = false;
    this.#pool.forget(resource);
  }

  #evict(): void {
    const { idle } = this.#pool.counts;
    const evicted = this.#pool.evictOne();
    if (evicted !== idle > 0) this.#violate(`evictOne() with ${idle} idle answered ${evicted}`);
  }

  get #waiting(): Caller[] {
    return this.#callers.filter(({ outcome }) => outcome === 'waits');
  }

  #isUnfinished(): boolean {
    return this.#held.length > 0 || this.#waiting.length > 0;
  }

  #check(): void {
    const { creating, idle, leased, waiting } = this.#pool.counts;
    const idleResources = [...this.#alive].filter(
      (resource) => !this.#held.some((slot) => slot.resource === resource),
    );
    // What was created for nobody went to the end of the idle ones.
    this.#expectedIdle.push(...idleResources.filter((resource) => !this.#expectedIdle.includes(resource)));
    expect(this.#violations).toEqual([]);
    expect(creating + idle + leased).toBe(this.#placesOfPool);
    expect(this.#placesOfPool + this.#placesOfOthers).toBeLessThanOrEqual(this.#options.max);
    expect(creating).toBe(this.#dials.length);
    expect(leased).toBe(this.#held.length);
    expect(idle).toBe(idleResources.length);
    expect(waiting).toBe(this.#waiting.length);
    // Nothing that could be handed out lies idle while somebody waits, and nothing after close().
    if (waiting > 0 || this.#isClosed) expect(idle).toBe(0);
    if (this.#isClosed) expect(waiting).toBe(0);
    expect(waiting).toBeLessThanOrEqual(this.#options.maxWaiting + MAX_DIALS);
  }

  #violate(what: string): void {
    this.#violations.push(what);
  }
}

function chosen<T>(members: readonly T[], choice: number): T | undefined {
  return members[choice % Math.max(1, members.length)];
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await undefined;
}
