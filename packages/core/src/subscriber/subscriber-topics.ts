import type { SubscribeKind } from './subscribe-request.js';
import { Topic, type TopicMember } from './subscriber-topic.js';

/** Longest command; more channels take further ones, in the same write. */
const MAX_CHANNELS = 1_000;

const UNDO = { subscribe: 'unsubscribe', psubscribe: 'punsubscribe', ssubscribe: 'sunsubscribe' } as const;

type TopicCommand = SubscribeKind | (typeof UNDO)[SubscribeKind];

/** One command to bring the server nearer to what is wanted. */
export interface TopicChange {
  readonly command: TopicCommand;
  readonly topics: readonly Topic[];
}

/**
 * All channels of a subscriber: who wants them, and what the server was told.
 *
 * A topic is in the table as long as it is wanted or the server may know of it, so that there is never a second one
 * for the same channel.
 */
export class TopicTable {
  readonly #topics = {
    subscribe: new Map<string, Topic>(),
    psubscribe: new Map<string, Topic>(),
    ssubscribe: new Map<string, Topic>(),
  };
  readonly #stale = new Set<Topic>();

  /** Channels that somebody wants. */
  get size(): number {
    return [...this.#all()].filter(({ isWanted }) => isWanted).length;
  }

  /** Whether `takeChanges()` has something to say. */
  get isStale(): boolean {
    return this.#stale.size > 0;
  }

  find(kind: SubscribeKind, name: string): Topic | undefined {
    return this.#topics[kind].get(name);
  }

  get all(): readonly Topic[] {
    return [...this.#all()];
  }

  get isWanted(): boolean {
    for (const topic of this.#all()) if (topic.isWanted) return true;
    return false;
  }

  join(kind: SubscribeKind, names: readonly string[], member: TopicMember): readonly Topic[] {
    return names.map((name) => {
      const topic = this.find(kind, name) ?? new Topic(kind, name);
      this.#topics[kind].set(name, topic);
      topic.add(member);
      this.#review(topic);
      return topic;
    });
  }

  leave(topics: readonly Topic[], member: TopicMember): void {
    for (const topic of topics) {
      topic.remove(member);
      this.#review(topic);
    }
  }

  /** Gives a topic to another table, which has to adopt it. */
  release(topic: Topic): void {
    this.#topics[topic.kind].delete(topic.name);
    this.#stale.delete(topic);
  }

  adopt(topic: Topic): void {
    topic.isSuspect = false;
    topic.state = 'off';
    this.#topics[topic.kind].set(topic.name, topic);
    this.#review(topic);
  }

  /** The server did nothing and sends it elsewhere: not to be said again before `review()`. */
  postpone({ topics }: TopicChange): void {
    for (const topic of topics) {
      topic.state = 'off';
      this.#stale.delete(topic);
      if (!topic.isWanted) this.#topics[topic.kind].delete(topic.name);
    }
  }

  review(): void {
    for (const topic of this.all) if (topic.state === 'on' || topic.state === 'off') this.#review(topic);
  }

  /** The server has ended these by itself, and they are wanted; returns them. */
  drop(kind: SubscribeKind, isKept: (name: string) => boolean): readonly Topic[] {
    const gone = [...this.#topics[kind].values()].filter(
      ({ name, state }) => state === 'on' && !isKept(name),
    );
    for (const topic of gone) {
      topic.state = 'off';
      this.#review(topic);
    }
    return gone;
  }

  /** What has to be said now. Each change has to come back by `applied()`, `isolate()` or `refused()`. */
  takeChanges(): readonly TopicChange[] {
    const changes: { command: TopicCommand; topics: Topic[] }[] = [];
    const open = new Map<TopicCommand, (typeof changes)[number]>();
    for (const topic of this.#stale) {
      const command = begin(topic);
      const last = topic.isSuspect ? undefined : open.get(command);
      if (last !== undefined && last.topics.length < MAX_CHANNELS) {
        last.topics.push(topic);
        continue;
      }
      const change = { command, topics: [topic] };
      changes.push(change);
      if (!topic.isSuspect) open.set(command, change);
    }
    this.#stale.clear();
    return changes;
  }

  /** The server did it. */
  applied({ topics }: TopicChange): void {
    for (const topic of topics) {
      topic.isSuspect = false;
      topic.state = topic.state === 'subscribing' ? 'on' : 'off';
      this.#review(topic);
    }
  }

  /** The server refused the command because of one of its channels: next time each goes alone. */
  isolate({ topics }: TopicChange): void {
    for (const topic of topics) {
      topic.isSuspect = true;
      topic.state = topic.state === 'subscribing' ? 'off' : 'on';
      this.#review(topic);
    }
  }

  /** The server refused this channel. What it refuses to stop sending reaches nobody, and ends with the connection. */
  refused(topic: Topic): void {
    topic.isSuspect = false;
    topic.state = 'off';
    this.#review(topic);
  }

  /** The connection is gone, and with it what the server knew. */
  reset(): void {
    for (const topic of [...this.#all()]) {
      topic.isSuspect = false;
      topic.state = 'off';
      this.#review(topic);
    }
  }

  /** Law: `#stale` holds whatever is not as it is wanted and has not been said yet; what nobody needs is gone. */
  #review(topic: Topic): void {
    if (topic.isStale) this.#stale.add(topic);
    else this.#stale.delete(topic);
    if (!topic.isWanted && topic.state === 'off') this.#topics[topic.kind].delete(topic.name);
  }

  *#all(): Generator<Topic> {
    for (const topics of Object.values(this.#topics)) yield* topics.values();
  }
}

function begin(topic: Topic): TopicCommand {
  topic.state = topic.isWanted ? 'subscribing' : 'unsubscribing';
  return topic.isWanted ? topic.kind : UNDO[topic.kind];
}
