import type { Admission } from '../admission.js';
import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import type { BoundedAction } from '../scope/bounds.js';
import type { DialError } from '../transport/dial.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterSettings } from './cluster-settings.js';
import { Pauses } from './pauses.js';
import { type Redirection, redirectionOf } from './redirection.js';
import { PROMPT_REDIRECTIONS, type SlotRouter } from './slot-router.js';

/** What finding the node of a slot needs of its cluster. */
export interface SlotOwnersHost {
  readonly settings: ClusterSettings;
  readonly admission: Admission;
  readonly commands: { readonly router: SlotRouter };
  readonly lastDialError: DialError | undefined;
  /** What whoever waits at the end gets, if not `RP_ERR_CLOSING` or `RP_ERR_CLOSED`. */
  readonly endError: unknown;
  start(): void;
  /** Asks the cluster who has which slots, soon. */
  refresh(): void;
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
}

/** The nodes of slots, for whatever goes to one node as a whole: leases, transactions, subscriptions. */
export class SlotOwners {
  readonly #host: SlotOwnersHost;
  /** Until a node has said who has which slots, or the end begins. */
  readonly #learning = new Pauses();
  /** Between two tries, or until the end begins. */
  readonly #pauses = new Pauses();

  constructor(host: SlotOwnersHost) {
    this.#host = host;
  }

  /** The node of a slot; waits for the first word of the cluster. */
  async owner(slot: number, limitMs: number, signal: AbortSignal | undefined): Promise<ClusterNode> {
    const { admission, commands } = this.#host;
    if (commands.router.ownerOf(slot) === undefined) {
      this.#host.start();
      await this.#learning.wait(limitMs, signal);
    }
    const owner = commands.router.ownerOf(slot);
    if (admission.hasEnded) throw this.#host.endError ?? admission.refusalAtEnd();
    if (owner !== undefined) return owner;
    const reason = `has no connection; a lease waited ${limitMs} ms (acquireTimeoutMs)`;
    const timeSpent = { connectionMs: limitMs };
    const details = { cause: this.#host.lastDialError, maybeExecuted: false, timeSpent };
    throw this.#host.error('RP_ERR_ACQUIRE_TIMEOUT', reason, details);
  }

  /** See {@link PoolEngine}. */
  follow(error: unknown, times: number): BoundedAction<void> | undefined {
    const { maxRedirections } = this.#host.settings;
    const previous = error instanceof Error ? Reflect.get(error, 'previousErrors') : undefined;
    const errors = [error, ...(Array.isArray(previous) ? previous : [])];
    const redirection = errors.map(redirectionOf).find((each) => each !== undefined);
    if (redirection === undefined || times >= maxRedirections) return undefined;
    this.#learn(redirection);
    const isPrompt = redirection.kind === 'moved' && times < PROMPT_REDIRECTIONS;
    return async (signal) => (isPrompt ? undefined : this.pause(signal));
  }

  /** Whether an error reply means that its node ran nothing, because it does not have the slot (any more). */
  isElsewhere(error: Error): boolean {
    const redirection = redirectionOf(error);
    if (redirection !== undefined) this.#learn(redirection);
    return redirection !== undefined;
  }

  /** The pause before another try; the end of the pool cuts it short. */
  async pause(signal: AbortSignal | undefined): Promise<void> {
    const { admission, settings } = this.#host;
    if (!admission.hasEnded) await this.#pauses.wait(settings.waitMs.tryAgain, signal);
  }

  /** To be called when a node has said who has which slots. */
  learned(): void {
    this.#learning.endAll();
  }

  /** To be called when the end begins: nobody waits here any more. */
  end(): void {
    this.#learning.endAll();
    this.#pauses.endAll();
  }

  #learn(redirection: Redirection): void {
    const { router } = this.#host.commands;
    this.#host.refresh();
    if (redirection.kind !== 'moved') return;
    const asked = router.ownerOf(redirection.slot);
    if (asked !== undefined) router.learn(redirection, asked);
  }
}
