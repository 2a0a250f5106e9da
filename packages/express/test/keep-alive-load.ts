import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';

/** Clients that keep their connections, each with one request after the other, until the server is gone. */
export class KeepAliveLoad {
  /** Whole answers, by their status. */
  readonly answers = new Map<number, number>();
  /** Answers that broke off. */
  broken = 0;
  readonly #clients: readonly Promise<void>[];

  constructor(urls: readonly string[]) {
    this.#clients = urls.map((url) => this.#run(url));
  }

  get count(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Resolves when no client gets an answer any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#clients);
  }

  async #run(url: string): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (await this.#ask(url, agent));
    agent.destroy();
  }

  async #ask(url: string, agent: Agent): Promise<boolean> {
    const outgoing = request(url, { agent });
    outgoing.end();
    const response = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    // Refused, or idle and closed: whether the server has seen it, the server tells.
    const [incoming] = await response.catch(() => []);
    if (incoming === undefined) return false;
    try {
      for await (const _ of incoming);
    } catch {
      this.broken += 1;
      return false;
    }
    const status = incoming.statusCode ?? 0;
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    return true;
  }
}
