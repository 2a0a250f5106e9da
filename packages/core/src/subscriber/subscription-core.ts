import { onAbort } from '../on-abort.js';
import type { Logger } from '../options/logger.js';
import type { IncomingMessage, Message, MessageEncoding } from './message.js';
import { MessageBuffer } from './message-buffer.js';
import { IteratorOutlet } from './message-iterator.js';
import { ListenerOutlet, type MessageOutlet } from './message-outlet.js';
import type { SubscribeKind, SubscribeRequest } from './subscribe-request.js';
import { onDeadline } from './subscriber-deadline.js';
import type { Topic, TopicMember } from './subscriber-topic.js';

/** What a subscription needs of its subscriber. */
export interface SubscriptionHost {
  readonly poolName: string;
  readonly logger: Logger;
  /** How long `subscribe()` may wait. */
  readonly limitMs: number;
  join(kind: SubscribeKind, names: readonly string[], member: TopicMember): readonly Topic[];
  leave(topics: readonly Topic[], member: TopicMember): void;
  /** Resolves when the server knows who left; never rejects. */
  settled(): Promise<void>;
  timeoutError(kind: SubscribeKind, channels: number): Error;
  overflowError(bufferSize: number): Error;
  count(event: 'dropped' | 'gaps' | 'listenerErrors'): void;
}

/**
 * - `pending`: not every channel is confirmed yet; messages of the others wait.
 * - `held`: confirmed; messages wait until the caller of `subscribe()` has its answer, which its listener may use.
 * - `live`: messages are delivered.
 * - `interrupted`: the connection is lost; messages wait until the gap is told.
 */
type State =
  | {
      readonly kind: 'pending';
      readonly resolve: () => void;
      readonly reject: (reason: unknown) => void;
      readonly callOff: () => void;
    }
  | { readonly kind: 'held' | 'live' | 'interrupted' | 'ended' };

/** The life of one subscription, from the call to its end. It settles its promise once. */
export class SubscriptionCore<E extends MessageEncoding> implements TopicMember {
  /** Resolves when the server has confirmed every channel. */
  readonly confirmed: Promise<void>;
  dropped = 0;
  gaps = 0;
  readonly #request: SubscribeRequest<E>;
  readonly #host: SubscriptionHost;
  readonly #topics: readonly Topic[];
  readonly #iterator: IteratorOutlet<E> | undefined;
  readonly #outlet: MessageOutlet<E>;
  readonly #unwatch: readonly (() => void)[];
  #state!: State;
  #hasReported = false;

  constructor(request: SubscribeRequest<E>, host: SubscriptionHost) {
    const { kind, names, listener, signals } = request;
    const buffer = new MessageBuffer<E>({
      size: request.bufferSize,
      overflow: request.overflow,
      onDrop: () => this.#countDrop(),
    });
    this.#request = request;
    this.#host = host;
    this.#iterator = listener === undefined ? new IteratorOutlet(buffer) : undefined;
    this.#outlet = this.#iterator ?? new ListenerOutlet(buffer, this.#callListener);
    this.#unwatch = signals.map((signal) => onAbort(signal, () => this.cancel(() => signal.reason)));
    this.confirmed = new Promise((resolve, reject) => {
      const callOff = onDeadline(host.limitMs, this.#expire);
      this.#setState({ kind: 'pending', resolve, reject, callOff });
    });
    this.#topics = host.join(kind, names, this);
    // Not at once, also when others have all of it: an abort right after the call still rejects it.
    queueMicrotask(() => this.checkConfirmed());
  }

  get names(): readonly string[] {
    return this.#request.names;
  }

  get ended(): boolean {
    return this.#state.kind === 'ended';
  }

  /** The pull side; `undefined` when there is a listener. */
  get iterator(): IteratorOutlet<E> | undefined {
    return this.#iterator;
  }

  deliver(message: IncomingMessage): void {
    if (this.ended) return;
    const isAccepted = this.#outlet.accept(message.as(this.#request.encoding));
    if (!isAccepted) this.refuse(this.#host.overflowError(this.#request.bufferSize), true);
  }

  checkConfirmed(): void {
    const state = this.#state;
    if (state.kind !== 'pending' && state.kind !== 'interrupted') return;
    if (!this.#topics.every((topic) => topic.state === 'on')) return;
    if (state.kind === 'pending') this.#confirm(state);
    else this.#resume();
  }

  interrupt(): void {
    const { kind } = this.#state;
    if (kind !== 'held' && kind !== 'live') return;
    this.#setState({ kind: 'interrupted' });
    this.#outlet.shut();
  }

  cancel(reason: () => unknown): void {
    if (this.#state.kind === 'pending') this.#reject(this.#state, reason());
    else this.#end(undefined);
  }

  refuse(error: Error, isFinal: boolean): void {
    if (this.#state.kind === 'pending') this.#reject(this.#state, error);
    else if (isFinal) this.#end(error);
  }

  /** Ends it; resolves when the server knows. */
  async unsubscribe(): Promise<void> {
    this.#end(undefined);
    await this.#host.settled();
  }

  #setState(state: State): void {
    this.#state = state;
  }

  #confirm({ resolve, callOff }: Extract<State, { kind: 'pending' }>): void {
    callOff();
    this.#setState({ kind: 'held' });
    setImmediate(this.#release);
    resolve();
  }

  readonly #release = (): void => {
    if (this.#state.kind === 'held') this.#goLive();
  };

  #resume(): void {
    this.gaps += 1;
    this.#host.count('gaps');
    const { onGap } = this.#request;
    if (onGap !== undefined) this.#run(onGap);
    // Called by it, unsubscribe() ends the subscription here.
    if (!this.ended) this.#goLive();
  }

  #goLive(): void {
    this.#setState({ kind: 'live' });
    this.#outlet.open();
  }

  #reject({ callOff, reject }: Extract<State, { kind: 'pending' }>, reason: unknown): void {
    callOff();
    this.#leave(undefined);
    reject(reason);
  }

  #end(error: Error | undefined): void {
    if (this.ended) return;
    this.#leave(error);
    const { onEnd } = this.#request;
    if (onEnd !== undefined) this.#run(onEnd, error);
  }

  #leave(error: Error | undefined): void {
    this.#setState({ kind: 'ended' });
    for (const stop of this.#unwatch) stop();
    this.#host.leave(this.#topics, this);
    this.#outlet.end(error);
  }

  readonly #callListener = ({ message, channel, pattern }: Message<E>): void => {
    const { listener } = this.#request;
    if (listener !== undefined) this.#run(listener, message, channel, pattern);
  };

  readonly #expire = (): void => {
    this.refuse(this.#host.timeoutError(this.#request.kind, this.names.length), false);
  };

  #countDrop(): void {
    this.dropped += 1;
    this.#host.count('dropped');
  }

  /** Runs code of the application; what it throws, now or later, is counted and goes no further. */
  #run<Args extends unknown[]>(code: (...args: Args) => unknown, ...args: Args): void {
    try {
      const result = code(...args);
      if (isThenable(result)) result.then(undefined, this.#report);
    } catch (error) {
      this.#report(error);
    }
  }

  readonly #report = (error: unknown): void => {
    this.#host.count('listenerErrors');
    if (this.#hasReported) return;
    this.#hasReported = true;
    const { poolName: pool, logger } = this.#host;
    const fields = { pool, command: this.#request.kind, ...describeThrown(error) };
    logger.error(
      fields,
      `A listener of a subscription of Redis pool "${pool}" failed; later failures are only counted`,
    );
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function';
}

/** What it is and where it was thrown. Its message may quote the message that was published. */
function describeThrown(error: unknown): { error: string; at?: string } {
  if (!(error instanceof Error)) return { error: typeof error };
  const frame = /^ +at .+$/m.exec((error.stack ?? '').replace(error.message, ''));
  return frame === null ? { error: error.name } : { error: error.name, at: frame[0].trim() };
}
