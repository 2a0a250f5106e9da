import { once } from 'node:events';
import { type Outcome, outcomeOf } from './outcome.js';
import type { Exchange } from './testbed.js';

/** The one request of a test: its handler, and what came of it, which its client may never see. */
export class TestRequest<T = unknown> {
  readonly outcome: Promise<Outcome<T>>;
  /** Resolves when its response has closed. */
  readonly closed: Promise<unknown>;
  readonly handle: (exchange: Exchange) => Promise<T>;

  constructor(action: (exchange: Exchange) => Promise<T> | T) {
    let start!: (exchange: Exchange) => void;
    const started = new Promise<Exchange>((resolve) => {
      start = resolve;
    });
    const result = started.then(action);
    this.outcome = outcomeOf(result);
    this.closed = started.then(({ response }) => once(response, 'close'));
    this.handle = (exchange) => {
      start(exchange);
      return result;
    };
  }
}
