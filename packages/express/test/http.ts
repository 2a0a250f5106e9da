import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

/** An answer that came over a socket. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export function get(url: string): Promise<HttpAnswer> {
  return ask('GET', url);
}

export function post(url: string): Promise<HttpAnswer> {
  return ask('POST', url);
}

/** Over a connection of its own, which is closed afterwards: nothing is left for leak checks to find. */
async function ask(method: string, url: string): Promise<HttpAnswer> {
  const outgoing = request(url, { method, agent: new Agent({ keepAlive: false }) });
  outgoing.end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of incoming.setEncoding('utf8')) body += chunk;
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body };
}
