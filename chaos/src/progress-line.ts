import { describeErrors } from './report.js';

/** How far a run is. */
export interface Progress {
  readonly elapsedMs: number;
  readonly faults: number;
  readonly calls: number;
  readonly errors: ReadonlyMap<string, number>;
  readonly violations: number;
  /** The step that runs. */
  readonly now: string;
}

/** Where a line goes: `process.stderr` fits. */
export interface LineTarget {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const PLAIN_EVERY_MS = 10_000;

/** One line that is overwritten, on a terminal; elsewhere a line now and then. */
export class ProgressLine {
  readonly #target: LineTarget;
  #nextPlainMs = PLAIN_EVERY_MS;

  constructor(target: LineTarget) {
    this.#target = target;
  }

  show(progress: Progress): void {
    const text = progressText(progress);
    if (this.#target.isTTY) {
      this.#target.write(`\r\x1b[2K${text.slice(0, (this.#target.columns ?? 80) - 1)}`);
    } else if (progress.elapsedMs >= this.#nextPlainMs) {
      this.#nextPlainMs = progress.elapsedMs + PLAIN_EVERY_MS;
      this.#target.write(`${text}\n`);
    }
  }

  clear(): void {
    if (this.#target.isTTY) this.#target.write('\r\x1b[2K');
  }
}

function progressText({ elapsedMs, faults, calls, errors, violations, now }: Progress): string {
  const broken = violations === 0 ? '' : `${violations} BROKEN, `;
  const seconds = `${Math.round(elapsedMs / 1_000)} s`;
  return `${seconds}: ${broken}${faults} faults, ${calls} calls, ${describeErrors(errors)} | ${now}`;
}
