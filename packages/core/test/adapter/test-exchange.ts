import { EventEmitter } from 'node:events';
import type { Exchange, ResponseLike } from '../../src/adapter/index.js';

/** A response of no server, whose client does as the test says. */
class TestResponse extends EventEmitter implements ResponseLike {
  writableEnded = false;
  writableFinished = false;
  destroyed = false;

  /** All of it was sent. */
  finish(): void {
    this.writableEnded = true;
    this.writableFinished = true;
    this.emit('close');
  }

  hangUp(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

export class TestExchange implements Exchange {
  readonly response = new TestResponse();
  readonly request: object = {};
  readonly label = (): string => 'GET /test';
}
