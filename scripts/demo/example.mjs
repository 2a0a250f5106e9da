import { Child } from './child.mjs';
import { COUNTERS, USER_IDS, userOf } from './data.mjs';

/** Starts the example application in a process of its own. */
export async function startExample(context, redis, { port }) {
  const others = await redis.clientIds();
  const child = new Child(context, './example-app.mjs');
  const { url } = await child.ask({ url: redis.url, prefix: redis.prefix, port });
  const countConnections = async () => (await redis.clientIds()).filter((id) => !others.includes(id)).length;
  return new Example({ screen: context.screen, child, url, countConnections });
}

class Example {
  #screen;
  #child;
  #url;
  #countConnections;

  constructor({ screen, child, url, countConnections }) {
    this.#screen = screen;
    this.#child = child;
    this.#url = url;
    this.#countConnections = countConnections;
  }

  /** Fills Redis through the application itself. */
  async seed() {
    await Promise.all([
      ...USER_IDS.map((id) => this.#send('PUT', `/user/${id}`, userOf(id))),
      ...COUNTERS.map((name) => this.#send('POST', `/counter/${name}`)),
    ]);
  }

  /** Tells what runs, and shows that it does. */
  async introduce() {
    const user = await (await this.#send('GET', '/user/7')).text();
    this.#screen.line(`Example application: examples/fastify on ${this.#url}`);
    this.#screen.line(
      `  ${USER_IDS.length} users and ${COUNTERS.length} counters stored through it, all at once`,
    );
    this.#screen.line(`  GET /user/7 -> ${user}`);
    const connections = await this.#countConnections();
    this.#screen.line(
      `  connections to Redis: ${connections}, one of them the job worker's, which waits on it`,
    );
  }

  showUsage() {
    const json = "-H 'content-type: application/json'";
    this.#screen.line();
    this.#screen.line(`The example application runs on ${this.#url}`);
    this.#screen.line();
    this.#screen.line(`  curl ${this.#url}/user/7`);
    this.#screen.line(`  curl -X PUT ${this.#url}/user/42 ${json} -d '${JSON.stringify(userOf(42))}'`);
    this.#screen.line(`  curl -X POST ${this.#url}/counter/visits`);
    this.#screen.line(`  curl ${this.#url}/ready`);
    this.#screen.line();
    this.#screen.line(`  ${this.#url}/ in a browser shows a live feed and the state of the pool`);
    this.#screen.line();
    this.#screen.line('Ctrl-C ends it.');
  }

  stop() {
    return this.#child.stop();
  }

  async #send(method, path, body) {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await fetch(`${this.#url}${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok)
      throw new Error(`The example application answered ${method} ${path} with ${answer.status}`);
    return answer;
  }
}
