import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { afterEach, expect } from 'vitest';
import { isRedisPoolError, RedisPoolError, type RedisPoolErrorCode } from '../../src/errors/errors.js';
import type { Logger } from '../../src/options/logger.js';
import type { RedisPoolOptions } from '../../src/options/options.js';
import { parseOptions } from '../../src/options/parse-options.js';
import type { ResolvedOptions } from '../../src/options/resolved-options.js';
import { Subscriber, type SubscriberHost } from '../../src/subscriber/subscriber.js';
import type { Connection } from '../../src/transport/connection.js';
import { CredentialSource } from '../../src/transport/credential-source.js';
import { DialCoordinator } from '../../src/transport/dial-coordinator.js';

export const PROTOCOLS = [3, 2] as const;

/** A host as the engine is one: it dials for real and counts places. */
class TestHost implements SubscriberHost {
  readonly options: ResolvedOptions;
  readonly #dials: DialCoordinator;
  readonly connections: Connection[] = [];
  /** Errors that were made, by code. */
  readonly errors: RedisPoolErrorCode[] = [];
  places: number;
  dialling = 0;
  mostDialling = 0;

  constructor(options: RedisPoolOptions, places: number) {
    this.options = parseOptions({ name: 'test', ...options });
    const credentials = new CredentialSource(this.options, {
      credentialsChanged: () => {},
      credentialsFailed: () => {},
    });
    this.#dials = new DialCoordinator({ options: this.options, credentials }, () => {});
    this.places = places;
  }

  get attempts(): number {
    return this.#dials.attempts;
  }

  homeOf(): string {
    return '';
  }

  isElsewhere(): boolean {
    return false;
  }

  async open(signal: AbortSignal): Promise<Connection> {
    this.dialling += 1;
    this.mostDialling = Math.max(this.mostDialling, this.dialling);
    try {
      const connection = await this.#dials.dial('subscriber', async (one) => one, signal);
      this.connections.push(connection);
      return connection;
    } finally {
      this.dialling -= 1;
    }
  }

  reserve(): boolean {
    if (this.places === 0) return false;
    this.places -= 1;
    return true;
  }

  free(): void {
    this.places += 1;
  }

  error(code: RedisPoolErrorCode, reason: string, details = {}): RedisPoolError {
    this.errors.push(code);
    return new RedisPoolError(code, `Redis pool "${this.options.name}" ${reason}`, details);
  }
}

export interface TestSubscriber {
  readonly subscriber: Subscriber;
  readonly host: TestHost;
}

/** Gives a function that makes subscribers; after its test each is destroyed and has to have given its place back. */
export function useSubscribers(): (options: RedisPoolOptions, places?: number) => TestSubscriber {
  const made: (TestSubscriber & { readonly before: number })[] = [];
  afterEach(async () => {
    for (const { subscriber, host, before } of made.splice(0)) {
      subscriber.destroy();
      expect(subscriber.stats()).toMatchObject({ subscriptions: 0, channels: 0, connected: false });
      await waitUntil(() => host.places === before, { what: 'the place is given back', timeoutMs: 100 });
      expect([host.dialling, host.mostDialling <= 1]).toEqual([0, true]);
    }
  });
  return (options, places = 1) => {
    const host = new TestHost(options, places);
    const subscriber = new Subscriber(host);
    made.push({ subscriber, host, before: places });
    return { subscriber, host };
  };
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await errorOf(promise);
  return isRedisPoolError(error) ? error.code : `no RedisPoolError: ${String(error)}`;
}

export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('It resolved instead of rejecting');
}

/** How many subscribers the server counts for each channel. */
export async function numSub(server: RedisServer, ...channels: string[]): Promise<Record<string, number>> {
  return toCounts(await server.adminCommand('PUBSUB', 'NUMSUB', ...channels));
}

/** All ordinary channels that have subscribers. */
export async function channelsOf(server: RedisServer): Promise<string[]> {
  return ((await server.adminCommand('PUBSUB', 'CHANNELS')) as string[]).sort();
}

export async function shardChannelsOf(server: RedisServer): Promise<string[]> {
  return ((await server.adminCommand('PUBSUB', 'SHARDCHANNELS')) as string[]).sort();
}

export async function patternCount(server: RedisServer): Promise<number> {
  return Number(await server.adminCommand('PUBSUB', 'NUMPAT'));
}

export function publish(server: RedisServer, channel: string, message: string): Promise<unknown> {
  return server.adminCommand('PUBLISH', channel, message);
}

/** Publishes 1, 2, ... `count` on one channel, all of them before anything else happens on the server. */
export function publishMany(server: RedisServer, channel: string, count: number): Promise<unknown> {
  const script = "for i = 1, tonumber(ARGV[2]) do redis.call('PUBLISH', ARGV[1], i) end";
  return server.adminCommand('EVAL', script, 0, channel, count);
}

/** How often the server ran a command since CONFIG RESETSTAT. */
export async function callsOf(server: RedisServer, command: string): Promise<number> {
  const stats = String(await server.adminCommand('INFO', 'commandstats'));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

/** Connections of subscribers that the server has. */
export async function subscriberClients(server: RedisServer): Promise<number> {
  return (await server.clients()).filter(({ name }) => name.includes(':subscriber:')).length;
}

export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
}

export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const record = (level: keyof Logger) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return {
    lines,
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
  };
}

/** A plain timer for the same moment as a deadline: what the machine adds to it, it adds to the deadline too. */
export function controlTimer(delayMs: number): Promise<number> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(performance.now()), delayMs);
  });
}

function toCounts(reply: unknown): Record<string, number> {
  const flat = reply as (string | number)[];
  const counts: Record<string, number> = {};
  for (let index = 0; index < flat.length; index += 2) counts[String(flat[index])] = Number(flat[index + 1]);
  return counts;
}
