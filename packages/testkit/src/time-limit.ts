/** What a wait with a limit was about, and how long it may take. */
export interface TimeLimit {
  /** Milliseconds from now. */
  readonly timeoutMs: number;
  /** Named in the error: "`what` took longer than 2000 ms". */
  readonly what: string;
}

/**
 * Settles as `work` does, or rejects when `timeoutMs` have passed first.
 * `work` itself is not stopped; its later rejection is swallowed.
 */
export async function withTimeLimit<T>(work: Promise<T>, { timeoutMs, what }: TimeLimit): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
