import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';

/** What came of the requests of an {@link HttpLoad}. */
export interface LoadResult {
  /** Answers by status. */
  readonly answers: Readonly<Record<number, number>>;
  /** Requests whose connection was reset before anything was answered: the server never read them, or it failed. */
  readonly unread: number;
  /** Requests that were refused because nobody listened any more. */
  readonly refused: number;
  /** Everything else that went wrong: what a request had got of its answer, and the error. */
  readonly failures: readonly string[];
}

/** Clients with connections that are kept alive, each sending one request after the other until it is refused. */
export class HttpLoad {
  readonly #url: string;
  readonly #clients: readonly Promise<void>[];
  readonly #answers: Record<number, number> = {};
  readonly #failures: string[] = [];
  #unread = 0;
  #refused = 0;

  constructor(url: string, clients: number) {
    this.#url = url;
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  answered(status: number): number {
    return this.#answers[status] ?? 0;
  }

  /** Resolves when every client has been refused. */
  async result(): Promise<LoadResult> {
    await Promise.all(this.#clients);
    return {
      answers: this.#answers,
      unread: this.#unread,
      refused: this.#refused,
      failures: this.#failures,
    };
  }

  async #run(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (await this.#send(agent)) {
      // Until nobody listens.
    }
    agent.destroy();
  }

  /** `false` when the server is gone. */
  async #send(agent: Agent): Promise<boolean> {
    const outgoing = request(this.#url, { method: 'POST', agent });
    outgoing.end();
    let response: IncomingMessage | undefined;
    try {
      [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      for await (const _chunk of response);
      const { statusCode = 0 } = response;
      this.#answers[statusCode] = this.answered(statusCode) + 1;
      return true;
    } catch (error) {
      return this.#countFailure(error as NodeJS.ErrnoException, response);
    }
  }

  #countFailure(error: NodeJS.ErrnoException, response: IncomingMessage | undefined): boolean {
    if (error.code === 'ECONNREFUSED') {
      this.#refused += 1;
      return false;
    }
    // On its way when the server closed an idle connection, or before it accepted a new one: HTTP leaves repeating it
    // to the client (RFC 9112, section 9.5). That the server had not read it is for the test to show.
    const isReset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (response === undefined && isReset) this.#unread += 1;
    else this.#failures.push(`${response?.statusCode ?? 'no answer'}: ${error.code} ${error.message}`);
    return true;
  }
}
