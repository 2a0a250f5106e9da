/** One line that is overwritten, on a terminal; elsewhere only finished measurements are printed. */
export class ProgressLine {
  readonly #stream = process.stderr;
  readonly #startedAt = performance.now();
  #done = 0;
  #total = 0;

  start(total: number): void {
    this.#total = total;
  }

  show(text: string): void {
    if (!this.#stream.isTTY) return;
    const line = `[${this.#done}/${this.#total} ${this.#elapsed()}] ${text}`;
    this.#stream.write(`\r\x1b[2K${line.slice(0, this.#stream.columns - 1)}`);
  }

  finished(text: string): void {
    this.#done += 1;
    this.#clear();
    this.#stream.write(`[${this.#done}/${this.#total} ${this.#elapsed()}] ${text}\n`);
  }

  #clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[2K');
  }

  #elapsed(): string {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }
}
