import type { PoolCommand } from '../commands/command.js';
import { isReadOnly } from '../commands/routing.js';
import type { CutList } from '../cut-list.js';
import type { PoolErrors } from '../errors/pool-errors.js';
import { divideTime } from '../errors/time-spent.js';
import type { Affinity } from '../lanes/affinity.js';
import type { PendingCommands } from '../lanes/pending-commands.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { DialError } from '../transport/dial.js';
import type { LoopDelay } from '../transport/loop-delay.js';
import { dropUnsent, failAsOne, groupByNode, segmentsOf } from './batches.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { ClusterSettings } from './cluster-settings.js';
import { KEYLESS_SLOT, slotOfAll } from './command-slot.js';
import { redirectionOf } from './redirection.js';
import { SlotRouter, type SlotRouterHost } from './slot-router.js';
import type { Translate } from './topology.js';
import { type BlockHost, TransactionBlock } from './transaction-block.js';

/** What plain commands need of their cluster. */
export interface ClusterCommandsHost {
  readonly options: ResolvedOptions;
  readonly settings: ClusterSettings;
  readonly errors: PoolErrors;
  readonly cuts: CutList;
  readonly delay: LoopDelay;
  readonly pending: PendingCommands;
  readonly nodes: ClusterNodes;
  readonly lastDialError: DialError | undefined;
  /** A connected replica; `undefined`: there is none at the moment. */
  replicaOf(master: ClusterNode): ClusterNode | undefined;
  refresh(): void;
}

/** Plain commands on a cluster: each goes to the node of its slot, and is settled by its deadline (law 3). */
export class ClusterCommands implements SlotRouterHost, BlockHost {
  readonly router: SlotRouter;
  /** Times that a node sent a command elsewhere. */
  redirections = 0;
  readonly #host: ClusterCommandsHost;

  constructor(host: ClusterCommandsHost) {
    this.#host = host;
    this.router = new SlotRouter(this);
  }

  /** Its place is known. */
  submit(command: PoolCommand, affinity: Affinity | undefined): void {
    settle(command);
    this.#host.pending.accept(command, affinity);
    this.router.dispatch(command);
  }

  submitBatch(commands: readonly PoolCommand[], affinity: Affinity | undefined): void {
    const segments = segmentsOf(commands);
    // Not at once: what ends several of them ends, and counts, each for itself.
    const ended = (error: unknown): void => queueMicrotask(() => dropUnsent(commands, error));
    if (segments.length > 1) failAsOne(commands, ended);
    const plain = segments.flatMap((segment) => (segment.kind === 'command' ? [segment.command] : []));
    for (const command of plain) settle(command);
    // Those that have to wait are grouped when they go.
    groupByNode(plain, ({ slot }) =>
      this.router.held.isClosed(slot) ? undefined : this.router.ownerOf(slot),
    );
    for (const segment of segments) {
      if (segment.kind === 'command') this.submit(segment.command, affinity);
      else
        new TransactionBlock(segment.commands, { slot: slotOfAll(segment.commands), affinity }, this).send();
    }
  }

  /** Fails what still waits for a node. */
  end(error: unknown): void {
    for (const command of this.router.end()) {
      const reason = `was closed while ${nameOf(command)} waited for a node`;
      if (command.awaiting !== undefined) this.#host.cuts.addCommand(nameOf(command));
      command.fail(error ?? this.#host.errors.make('RP_ERR_CLOSED', reason, { maybeExecuted: false }));
      this.done(command);
    }
  }

  // ---- what the router needs ----

  get nodes(): ClusterNodes {
    return this.#host.nodes;
  }

  get maxRedirections(): number {
    return this.#host.settings.maxRedirections;
  }

  get waitMs(): ClusterSettings['waitMs'] {
    return this.#host.settings.waitMs;
  }

  get translate(): Translate {
    return this.#host.settings.translate;
  }

  refresh(): void {
    this.#host.refresh();
  }

  readerFor(command: PoolCommand, owner: ClusterNode): ClusterNode {
    // What belongs to a chain stays with it.
    if (command.batch !== undefined || !isReadOnly(command.profile, command.args)) return owner;
    const { scaleReads } = this.#host.settings;
    const isWanted =
      command.prefersReplica || scaleReads === 'slave' || (scaleReads === 'all' && Math.random() < 0.5);
    return (isWanted ? this.#host.replicaOf(owner) : undefined) ?? owner;
  }

  get readsFromReplicas(): boolean {
    return this.#host.settings.scaleReads !== 'master';
  }

  lost(command: PoolCommand, why: Error): void {
    command.fail(this.#tooFar(nameOf(command), why));
    this.done(command);
  }

  expired(command: PoolCommand, why: Error | undefined): void {
    const { options, errors, lastDialError } = this.#host;
    const { commandTimeoutMs, retryReads } = options;
    const what = why === undefined ? 'has no connection' : 'finds no node';
    const reason = `${what}; ${nameOf(command)} waited ${commandTimeoutMs} ms (commandTimeoutMs)`;
    // A read that waits to be sent again may have run the first time.
    const maybeExecuted = command.resendsLeft < retryReads;
    const cause = why ?? lastDialError;
    const [{ startedAt }, now] = [command, performance.now()];
    const blockedMs = this.#host.delay.blockedSince(startedAt, now);
    const timeSpent = divideTime({ elapsedMs: now - startedAt, last: 'connectionMs', blockedMs });
    command.fail(errors.makeOfMany('RP_ERR_UNAVAILABLE', reason, { cause, maybeExecuted, timeSpent }));
  }

  done(command: PoolCommand): void {
    this.#host.pending.remove(command);
  }

  timerRan(dueAt: number, now: number): void {
    this.#host.delay.note(dueAt, now);
  }

  // ---- what transactions need ----

  sendBlock(block: TransactionBlock, commands: readonly PoolCommand[], why?: Error): void {
    for (const command of commands) this.#host.pending.accept(command, block.affinity);
    const redirection = redirectionOf(why);
    const asked = this.router.ownerOf(block.slot);
    if (why === undefined || redirection === undefined || asked === undefined) {
      for (const command of commands) this.router.dispatch(command);
    } else this.router.forward(commands, redirection, { asked, error: why });
  }

  mayGoOn(block: TransactionBlock, why: Error): boolean {
    // Its deadline limits the waiting.
    if (redirectionOf(why)?.kind === 'wait') return true;
    block.redirections += 1;
    this.redirections += 1;
    if (block.redirections <= this.maxRedirections) return true;
    block.fail(this.#tooFar('a transaction', why));
    return false;
  }

  #tooFar(what: string, cause: Error): Error {
    const reason = `sent ${what} from node to node ${this.maxRedirections} times (cluster.options.maxRedirections)`;
    return this.#host.errors.makeOfMany('RP_ERR_UNAVAILABLE', reason, { cause, maybeExecuted: false });
  }
}

function settle(command: PoolCommand): void {
  if (command.slot < 0) command.slot = KEYLESS_SLOT;
}

function nameOf({ profile }: PoolCommand): string {
  return profile.name.toUpperCase();
}
