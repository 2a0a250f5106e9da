import { inspect } from 'node:util';
import type { Violations } from './violations.js';

/** Part of every password of a run. */
export const SECRET_MARK = 'pa55~';
/** Part of every key and value of a run. */
export const ARGUMENT_MARK = 'arg~';

const ALWAYS = 20;
const EVERY = 50;

/** Whether a text holds a password or an argument of a command. */
function holdsSecret(text: string): boolean {
  return text.includes(SECRET_MARK) || text.includes(ARGUMENT_MARK);
}

/** Looks for passwords and arguments in what the pool tells: log lines, all of them, and errors, in samples. */
export class SecretCheck {
  logLines = 0;
  readonly #violations: Violations;
  readonly #seen = new Map<string, number>();

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  logged(fields: object, message: string): void {
    this.logLines += 1;
    this.#look('a log line', `${inspect(fields, { depth: 8, showHidden: true })} ${message}`);
  }

  /** Each kind of error at first, then one in fifty: to look into all of it is slow. */
  failed(kind: string, error: unknown): void {
    const count = (this.#seen.get(kind) ?? 0) + 1;
    this.#seen.set(kind, count);
    if (count > ALWAYS && count % EVERY !== 0) return;
    this.#look(`an error (${kind})`, inspect(error, { depth: 8, showHidden: true }));
  }

  #look(where: string, text: string): void {
    if (!holdsSecret(text)) return;
    // Not what it is: the report must not hold it either.
    const around = text.replaceAll(/(pa55~|arg~)\S*/g, '$1...').slice(0, 300);
    this.#violations.add('leakedSecrets', `${where} holds one: ${around}`);
  }
}
