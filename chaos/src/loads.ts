import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from './arena/arena.js';
import { appendOnce } from './load/appends.js';
import { leaseOnce, prepareLeases } from './load/leases.js';
import { MessageLoad } from './load/messages.js';
import { PopShift } from './load/pops.js';
import { prepareReads, readOnce } from './load/reads.js';
import type { Session } from './load/session.js';
import { checkTotal, prepareTransfers, transferOnce } from './load/transfers.js';
import { writeOnce } from './load/writes.js';

/** Puts what the loads ask for into an empty server. */
export async function prepare(arena: Arena): Promise<void> {
  const write = (...[name = '', ...args]: string[]) => arena.admin(name, ...args);
  await prepareReads(write);
  await prepareLeases(write);
  await prepareTransfers(write);
}

/** Everything that uses the pool during a run. */
export class Loads {
  readonly messages: MessageLoad;
  readonly #session: Session;
  #shift: PopShift;
  #running: Promise<unknown> = Promise.resolve();

  constructor(session: Session) {
    this.#session = session;
    this.messages = new MessageLoad(session);
    this.#shift = new PopShift(session, 'before the first step');
  }

  start(): void {
    const many = (count: number, once: () => Promise<unknown>, pauseMs: number) =>
      Array.from({ length: count }, () => this.#session.forever(once, pauseMs));
    const session = this.#session;
    this.#running = Promise.all([
      ...many(5, () => writeOnce(session), 10),
      ...many(4, () => readOnce(session), 10),
      ...many(2, () => leaseOnce(session), 30),
      ...many(3, () => transferOnce(session), 40),
      ...many(1, () => checkTotal(session), 50),
      ...many(2, () => appendOnce(session), 60),
      ...many(1, () => this.#shift.push(), 30),
      ...many(4, () => this.#shift.pop(), 10),
      ...many(1, () => this.messages.publish(), 20),
      ...many(1, () => this.messages.visit(), 80),
      this.messages.follow('subscribe'),
      this.messages.follow('psubscribe'),
    ]);
  }

  /** Accounts for every element of the step that ends, and begins with new lists. */
  async endShift(next: string): Promise<void> {
    const shift = this.#shift;
    this.#shift = new PopShift(this.#session, next);
    // Whoever began in the moment of the change still belongs to the old one.
    await sleep(0);
    await shift.close();
  }

  /** Lets everybody finish. */
  async stop(): Promise<void> {
    this.#session.running = false;
    await this.messages.close();
    await this.#shift.close();
    await this.#running;
  }
}
