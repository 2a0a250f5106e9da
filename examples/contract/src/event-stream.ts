import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { waitUntil } from '@redis-pool/testkit';

/** A client of server-sent events that keeps everything it got. */
export class EventStream {
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  #text = '';
  #ended = false;

  constructor(request: ClientRequest, response: IncomingMessage) {
    this.#request = request;
    this.response = response;
    response.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk;
    });
    response.once('end', () => {
      this.#ended = true;
    });
    // Leaving is an error for the response that was under way.
    response.on('error', () => {});
  }

  /** Everything so far, comments included. */
  get text(): string {
    return this.#text;
  }

  /** Whether the server ended it in order. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The data of every event so far. */
  get events(): readonly { readonly kind: string; readonly text: string; readonly at: string }[] {
    return [...this.#text.matchAll(/^data: (\{"kind".*)$/gm)].map(([, json]) => JSON.parse(json as string));
  }

  /** Resolves when the server sends events: from then on none is missed. */
  async opened(): Promise<this> {
    await waitUntil(() => this.#text.includes('retry:'), { what: 'the feed is open' });
    return this;
  }

  leave(): void {
    this.#request.destroy();
  }
}

export async function openEvents(url: string): Promise<EventStream> {
  const outgoing = request(`${url}/feed`, { agent: new Agent({ keepAlive: false }) });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  outgoing.on('error', () => {});
  return new EventStream(outgoing, response);
}
