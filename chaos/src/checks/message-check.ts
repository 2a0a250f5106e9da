/** What a stream of numbered messages did wrong. */
export type MessageFault = string;

/**
 * The messages that one subscription gets: numbers that only grow, and a gap reported wherever one is missing.
 */
export class MessageCheck {
  received = 0;
  gaps = 0;
  readonly #isCertain: (message: number) => boolean;
  readonly #report: (what: MessageFault) => void;
  #last: number | undefined;
  #gapSinceLast = false;

  /** `isCertain`: whether the server has told that this message went out. */
  constructor(isCertain: (message: number) => boolean, report: (what: MessageFault) => void) {
    this.#isCertain = isCertain;
    this.#report = report;
  }

  get last(): number | undefined {
    return this.#last;
  }

  gap(): void {
    this.gaps += 1;
    this.#gapSinceLast = true;
  }

  message(number: number): void {
    this.received += 1;
    const last = this.#last;
    if (!Number.isSafeInteger(number)) this.#report('got a message that nobody published');
    else if (last !== undefined && number <= last) this.#report(`got message ${number} after ${last}`);
    else if (last !== undefined && !this.#gapSinceLast) this.#checkGapless(last, number);
    this.#last = number;
    this.#gapSinceLast = false;
  }

  #checkGapless(last: number, number: number): void {
    for (let missing = last + 1; missing < number; missing += 1) {
      if (this.#isCertain(missing)) {
        this.#report(`got message ${number} after ${last}: ${missing} was lost, and no gap was reported`);
        return;
      }
    }
  }
}
