const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 };

/** Watches for the first Ctrl-C or SIGTERM; the second one ends the process on the spot. */
export function watchSignals() {
  const controller = new AbortController();
  const received = new Promise((resolve) => {
    for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
      process.on(name, () => {
        if (controller.signal.aborted) process.exit(exitCode);
        controller.abort(new Error('Interrupted'));
        resolve({ exitCode });
      });
    }
  });
  return { signal: controller.signal, received };
}
