import { describeType, isRecord } from '../options/option-rules.js';
import type { Credentials } from '../options/options.js';
import type { Auth, ResolvedOptions } from '../options/resolved-options.js';

/** Which part of the time that a password holds has to pass before the next one is asked for, at least and at most. */
const [EARLIEST, LATEST] = [0.7, 0.85];
/** After a provider that failed, or a server that refused its answer. */
const [RETRY_SHARE, SHORTEST_RETRY_MS] = [0.05, 1_000];
const LONGEST_TIMER_MS = 2_147_483_647;

export interface CredentialHost {
  /** The answer is another one than before, perhaps for another user: who is connected has to say it again. */
  credentialsChanged(auth: Auth, isOtherUser: boolean): void;
  credentialsFailed(error: unknown): void;
}

/**
 * What authenticates new connections, and when it changes the open ones: the provider is asked at every attempt to
 * connect, and, where it says for how long its answer holds, before that time is over.
 */
export class CredentialSource {
  readonly #options: ResolvedOptions;
  readonly #host: CredentialHost;
  #last: Credentials | undefined;
  #questions = 0;
  /** Number of the question that `#last` answers. */
  #answered = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ResolvedOptions, host: CredentialHost) {
    this.#options = options;
    this.#host = host;
  }

  /** The last answer, when it is another one than `said`: that is what open connections were told meanwhile. */
  newerThan(said: Auth | undefined): Auth | undefined {
    return said === undefined || this.#last === undefined || isSame(said, this.#last)
      ? undefined
      : this.#last;
  }

  /** `undefined`: the fixed ones of the options. Rejects with what the provider throws. */
  async ask(): Promise<Auth | undefined> {
    const { credentials } = this.#options;
    if (credentials === undefined) return undefined;
    this.#questions += 1;
    const question = this.#questions;
    const answer = checkAnswer(await credentials());
    if (this.#isClosed) return answer;
    // Asked later and answered sooner: what comes now is older.
    if (question < this.#answered) return this.#last;
    this.#answered = question;
    this.#scheduleNext(answer.validForMs);
    const before = this.#last;
    this.#last = answer;
    if (before !== undefined && !isSame(before, answer))
      this.#host.credentialsChanged(answer, before.username !== answer.username);
    return answer;
  }

  /** A server refused the last answer: the next question comes soon. */
  retrySoon(): void {
    const validForMs = this.#last?.validForMs;
    if (validForMs !== undefined) this.#schedule(Math.max(SHORTEST_RETRY_MS, validForMs * RETRY_SHARE));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #scheduleNext(validForMs: number | undefined): void {
    clearTimeout(this.#timer);
    if (validForMs === undefined) return;
    this.#schedule(validForMs * (EARLIEST + Math.random() * (LATEST - EARLIEST)));
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#refresh(), Math.min(delayMs, LONGEST_TIMER_MS));
    this.#timer.unref();
  }

  /** Never rejects. */
  async #refresh(): Promise<void> {
    try {
      await this.ask();
    } catch (error) {
      if (this.#isClosed) return;
      this.#host.credentialsFailed(error);
      this.retrySoon();
    }
  }
}

function isSame(one: Auth, other: Auth): boolean {
  return one.password === other.password && one.username === other.username;
}

/** The value itself is a secret, right or wrong: the message says types only. */
function checkAnswer(answer: unknown): Credentials {
  if (!isRecord(answer)) throw wrongAnswer('an object', answer);
  const { username, password, validForMs } = answer;
  if (typeof password !== 'string') throw wrongAnswer('a password that is a string', password);
  if (username !== undefined && typeof username !== 'string')
    throw wrongAnswer('a username that is a string', username);
  const isTime = typeof validForMs === 'number' && validForMs > 0;
  if (validForMs !== undefined && !isTime)
    throw wrongAnswer('a validForMs that is a number above 0', validForMs);
  return answer as unknown as Credentials;
}

function wrongAnswer(rule: string, received: unknown): TypeError {
  return new TypeError(`credentials() must answer with ${rule}, answered ${describeType(received)}`);
}
