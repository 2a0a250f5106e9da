import { format, inspect } from 'node:util';
import type { LeakProbe } from './leak-probe.js';

// What Node itself says about its own features is no defect of the code under test.
const HARMLESS_WARNINGS = new Set(['ExperimentalWarning', 'DeprecationWarning']);

/** Finds unhandled rejections, uncaught exceptions, process warnings, and complaints of ioredis on the console. */
export class EventProbe implements LeakProbe {
  #findings: string[] = [];
  #consoleError = console.error;

  start(): void {
    this.#findings = [];
    process.on('unhandledRejection', this.#onRejection);
    process.on('uncaughtException', this.#onException);
    process.on('warning', this.#onWarning);
    this.#consoleError = console.error;
    console.error = this.#onConsoleError;
  }

  findings(): readonly string[] {
    return this.#findings;
  }

  stop(): void {
    process.off('unhandledRejection', this.#onRejection);
    process.off('uncaughtException', this.#onException);
    process.off('warning', this.#onWarning);
    if (console.error === this.#onConsoleError) console.error = this.#consoleError;
  }

  readonly #onRejection = (reason: unknown): void => {
    this.#findings.push(`unhandledRejection: ${inspect(reason)}`);
  };

  readonly #onException = (error: unknown): void => {
    this.#findings.push(`uncaughtException: ${inspect(error)}`);
  };

  readonly #onWarning = (warning: Error): void => {
    if (!HARMLESS_WARNINGS.has(warning.name)) this.#findings.push(`${warning.name}: ${warning.message}`);
  };

  readonly #onConsoleError = (...args: unknown[]): void => {
    const text = format(...args);
    if (text.includes('[ioredis]')) this.#findings.push(`console.error: ${text}`);
    this.#consoleError.apply(console, args);
  };
}
