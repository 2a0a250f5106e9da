import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import type { Routes, Testbed } from './testbed.js';

/** Applications that come and go in one process, as under a hot reload. */
export function reload(bed: Testbed): void {
  const routes: Routes = {
    '/use': async ({ redis }) => {
      await redis.subscribe('news', () => {});
      await redis.lease((lease) => lease.ping());
      return redis.nscache.incr('uses');
    },
  };

  async function cycle(expected: number): Promise<void> {
    const app = await bed.start(routes, {}, { namespace: 'nscache' });
    expect((await app.get('/use')).json).toBe(expected);
    await app.close();
    await waitUntil(async () => (await bed.connectionNames()).length === 0, { what: 'nothing is open' });
  }

  test('each of 12 leaves connections and process listeners as it found them', async () => {
    await cycle(1);
    const before = listeners();
    for (let round = 2; round <= 12; round += 1) {
      await cycle(round);
      expect(listeners(), `after round ${round}`).toEqual(before);
    }
  });

  test('the next one may start before the last one has closed', async () => {
    const first = await bed.start(routes, {}, { namespace: 'nscache' });
    const second = await bed.start(routes, {}, { namespace: 'nscache' });
    const closing = first.close();
    expect((await second.get('/use')).json).toBe(1);
    await closing;
    expect((await second.get('/use')).json).toBe(2);
  });
}

/** How many listeners each event of the process has. */
function listeners(): Readonly<Record<string, number>> {
  return Object.fromEntries(
    process.eventNames().map((name) => [String(name), process.listenerCount(name)] as const),
  );
}
