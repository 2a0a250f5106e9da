import autocannon from 'autocannon';
import type { Answers, LoadOrder } from './load.js';

/** Asks with autocannon, in whole seconds, as a check of our own generator. @throws when an answer is not 200 */
export async function loadWithAutocannon({ port, path, connections, windowMs }: LoadOrder): Promise<Answers> {
  const duration = Math.max(1, Math.round(windowMs / 1_000));
  const url = `http://127.0.0.1:${port}${path}`;
  const {
    requests,
    latency,
    duration: seconds,
    errors,
    non2xx,
  } = await autocannon({ url, connections, duration });
  if (errors + non2xx > 0)
    throw new Error(`${errors} errors and ${non2xx} answers other than 200 from ${url}`);
  return { requests: requests.total, seconds, p50Ms: latency.p50, p99Ms: latency.p99 };
}
