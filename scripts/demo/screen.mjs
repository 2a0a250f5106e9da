/** Writes lines, and on a terminal one live line below them. */
export class Screen {
  #isTerminal = process.stdout.isTTY === true;
  #hasLiveLine = false;

  line(text = '') {
    this.clear();
    process.stdout.write(`${text}\n`);
  }

  /** Replaces the live line; without a terminal, nothing. */
  live(text) {
    if (!this.#isTerminal) return;
    this.clear();
    process.stdout.write(text.slice(0, (process.stdout.columns || 80) - 1));
    this.#hasLiveLine = true;
  }

  clear() {
    if (this.#hasLiveLine) process.stdout.write('\r\u001b[2K');
    this.#hasLiveLine = false;
  }
}
