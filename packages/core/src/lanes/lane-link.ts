import { tracingChannel } from 'node:diagnostics_channel';
import { type Command, Redis } from 'ioredis';
import type { PoolCommand } from '../commands/command.js';
import type { Connection } from '../transport/connection.js';
import { ReplyDecoder, type ReplySink } from '../transport/resp-decoder.js';

/** The way of commands onto the wire of one connection. */
export interface LaneLink {
  readonly kind: 'direct' | 'public';
  /** Hands a command to the connection. Its reply, or its error reply, goes to the command's owner. */
  send(command: PoolCommand): void;
}

const commandChannel = tracingChannel('ioredis:command');
// Taken when this module loads. A wrapper put on later, or on the instance, differs from it; one put on before
// does not look like ioredis's own code.
const pristineSendCommand = Redis.prototype.sendCommand;
const looksLikeIoredis = pristineSendCommand.toString().startsWith('sendCommand(command, stream)');

/** Commands go in through ioredis's public `sendCommand()`, and replies come out of ioredis. */
export class PublicLink implements LaneLink {
  readonly kind = 'public';
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  send(command: PoolCommand): void {
    const { redis, coalescer } = this.#connection;
    command.makeTraceable();
    const before = coalescer.accepted;
    const returned: unknown = redis.sendCommand(command as unknown as Command);
    // A wrapper may return a promise of its own; the caller has the command's, and nobody has this one.
    if (returned instanceof Promise && returned !== command.promise) returned.catch(() => {});
    if (coalescer.accepted > before) command.writeNumber = coalescer.accepted;
  }
}

interface QueuedCommand {
  readonly command: {
    readonly name: string;
    readonly replyEncoding?: string | null;
    resolve(reply: unknown): void;
    reject(error: Error): void;
  };
  readonly stream: undefined;
  readonly select: number;
}

interface WireQueue {
  readonly length: number;
  push(item: QueuedCommand): unknown;
  shift(): QueuedCommand | undefined;
  peekFront(): QueuedCommand | undefined;
}

/**
 * The short way: commands go straight into ioredis's command queue and onto the socket, and replies are read
 * with a decoder of our own. The order of the one queue stays the order on the wire, so that ioredis's
 * `sendCommand()` works on the same connection at any time; commands take it while somebody traces.
 *
 * It leans on members that ioredis does not promise (`commandQueue`, `condition`, one `data` listener), hence
 * {@link canGoDirect} and the check in {@link openLaneLink}.
 */
export class DirectLink implements LaneLink, ReplySink {
  readonly kind = 'direct';
  readonly #connection: Connection;
  readonly #queue: WireQueue;
  readonly #select: number;
  readonly #slow: PublicLink;

  constructor(connection: Connection) {
    const { redis, socket } = connection;
    this.#connection = connection;
    this.#queue = redis.commandQueue as unknown as WireQueue;
    this.#select = redis.condition?.select ?? 0;
    this.#slow = new PublicLink(connection);
    const decoder = new ReplyDecoder(this, {
      mapping: redis.condition?.replyMapping === 'resp3' ? 'resp3' : 'legacy',
      stringNumbers: redis.options.stringNumbers === true,
    });
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => {
      try {
        decoder.write(chunk);
      } catch (error) {
        connection.destroy(error as Error);
      }
    });
  }

  send(command: PoolCommand): void {
    const { redis, coalescer, socket } = this.#connection;
    if (commandChannel.hasSubscribers || redis.sendCommand !== pristineSendCommand) {
      this.#slow.send(command);
      return;
    }
    command.setReplyContext(redis.condition);
    coalescer.write(command.toWritable(socket));
    command.writeNumber = coalescer.accepted;
    this.#queue.push({ command, stream: undefined, select: this.#select });
  }

  wantsStrings(): boolean {
    return this.#queue.peekFront()?.command.replyEncoding === 'utf8';
  }

  onReply(reply: unknown): void {
    const item = this.#queue.shift();
    if (item === undefined) this.#unasked();
    else item.command.resolve(reply);
  }

  onErrorReply(error: Error): void {
    const item = this.#queue.shift();
    if (item === undefined) this.#unasked();
    else item.command.reject(error);
  }

  // Pushes answer nobody: a lane never subscribes or tracks.
  onPush(): void {}

  #unasked(): void {
    this.#connection.destroy(new Error('The server sent a reply that no command asked for'));
  }
}

/** Whether this ioredis has the members that the direct link uses, in the state in which it needs them. */
export function canGoDirect(connection: Connection): boolean {
  const { redis, socket } = connection;
  const queue = redis.commandQueue as unknown as Partial<WireQueue> | undefined;
  return (
    process.env.REDIS_POOL_LINK !== 'public' &&
    looksLikeIoredis &&
    redis.sendCommand === pristineSendCommand &&
    redis.stream === socket &&
    typeof redis.condition?.select === 'number' &&
    queue?.length === 0 &&
    typeof queue.push === 'function' &&
    typeof queue.shift === 'function' &&
    typeof queue.peekFront === 'function' &&
    socket.listenerCount('data') === 1
  );
}
